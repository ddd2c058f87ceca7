"""Ends the service's processes when their supervisor is gone, however it went.

A script of its own (standard library only, no package imports). It reads process group ids from
stdin, `+ID` for one started and `-ID` for one that has ended. The supervisor holds the other end
of that pipe and nobody else does, so that end-of-file means: the supervisor has ended, be it by
`kill -9`. Then every group still listed gets TERM (its leader only, so that a worker can hand
back its task) and, after the seconds of grace that its first argument names, KILL.

Why not `prctl(PR_SET_PDEATHSIG)`: it fires when the *thread* that started the child ends, it does
not reach grandchildren (the prefork children that hold the models), it kills without grace, and
it needs a `preexec_fn`, which is unsafe in a process that has threads.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

_PAUSE_S = 0.05


def main(grace_s: float) -> None:
    """Keep the list of groups until end-of-file, then end those that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        groups.add(group) if sign == "+" else groups.discard(group)
    _end(groups, grace_s)


def _end(groups: set[int], grace_s: float) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(_alive(group) for group in groups):
        time.sleep(_PAUSE_S)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main(float(sys.argv[1]))
