"""`needle`, and `python -m needle`: the command line begins here."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line and end the process with its status.

    Until its modules are read nothing is under way that Ctrl-C would have to end.
    """
    heard = signal.getsignal(signal.SIGINT)
    if heard is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from needle import cli

    signal.signal(signal.SIGINT, heard)
    cli.run()


if __name__ == "__main__":
    run()
