"""What can go wrong while the service is started."""

from __future__ import annotations

from common.errors import NeedleError


class StackError(NeedleError):
    """The service cannot be started or kept up; the message is a sentence for its operator."""

    code = "stack"
