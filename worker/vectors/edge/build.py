"""`python -m worker.vectors.edge.build FOLDER`: build the index of a shard that nobody else opened.

A process of its own: Qdrant Edge 0.9 holds the interpreter's lock while it optimises, so that in
the search worker no search would be answered for as long. It gives way to everything else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

import qdrant_edge as qe

_NICENESS = 15
_PR_SET_PDEATHSIG = 1


def main(folder: str, config: qe.EdgeConfig | None = None) -> None:
    """Optimise the shard in the folder."""
    os.nice(_NICENESS)
    _end_with_parent()
    shard = qe.EdgeShard.load(folder, config)
    shard.optimize()
    shard.flush()
    shard.close()


def _end_with_parent() -> None:
    """Have Linux end this process with the one that started it; elsewhere it works in vain."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
