"""`python -m demo`, run by `make demo`: PHOTOS, QUERY and KEEP say what to do."""

from __future__ import annotations

import os
import sys

LOG_WIDTH = 120


def main() -> int:
    """Run the demo; return the exit status.

    0: the right photo was found first for every query that has one (with one's own pictures:
    something was found). 1: it was not, or an error, said in a sentence. 130: Ctrl-C before that.
    """
    try:
        return _run()
    except KeyboardInterrupt:
        print("\nInterrupted; every process is ended.")
        return 130


def _run() -> int:
    # Imported here so that Ctrl-C while they load ends quietly as well.
    from rich.console import Console

    from common.errors import NeedleError
    from demo.plan import read_plan
    from demo.run import Demo
    from machine.stack.signals import as_interrupt
    from needle.errors import NeedleClientError

    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    with as_interrupt():
        try:
            found = Demo(read_plan(os.environ), os.environ, console).run()
        except (NeedleError, NeedleClientError, OSError) as exc:
            print(f"needle: {exc}", file=sys.stderr)
            return 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
