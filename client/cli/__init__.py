"""The command line `needle`. It talks HTTP only; `needle up` alone runs the service's code."""

from __future__ import annotations

from client.cli.app import cli, main, run
from client.cli.base import ExitCode

__all__ = ["ExitCode", "cli", "main", "run"]
