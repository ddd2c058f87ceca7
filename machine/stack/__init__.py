"""Starts and ends the whole service on one machine: Redis, the two workers, the web server.

`Stack` is the whole interface. No image, no model and no HTTP route is known here; of the
project's code only `common.settings` and `common.errors` are imported.
"""

from __future__ import annotations

from machine.stack.errors import StackError
from machine.stack.supervisor import Stack

__all__ = ["Stack", "StackError"]
