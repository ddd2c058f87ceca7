"""What the routes work with."""

from __future__ import annotations

from typing import cast

from flask import current_app

from common.services import Services


def services() -> Services:
    """Return the services of the running application."""
    return cast(Services, current_app.extensions["needle"])
