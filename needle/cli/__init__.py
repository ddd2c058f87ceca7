"""The command line `needle`. It talks HTTP only; `needle up` alone runs the service's code."""

from __future__ import annotations

from needle.cli.app import cli, main, run
from needle.cli.base import ExitCode

__all__ = ["ExitCode", "cli", "main", "run"]
