"""What stops the demo because of what it was asked to do."""

from __future__ import annotations

from common.errors import Permanent


class DemoError(Permanent):
    """PHOTOS, QUERY or KEEP cannot be used; the message says why."""

    code = "demo"
