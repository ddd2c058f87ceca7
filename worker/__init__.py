"""The Celery workers: the roles `index` and `search`. Never imports `web`.

numpy multiplies in one thread here. Its OpenBLAS would start as many threads as there are cores for
each of ours, and they wait by spinning: local features took three times the processor time. The
variable is read when numpy is loaded; networks, loaded later, keep their own threads.
"""

import os

_VARIABLE = "OPENBLAS_NUM_THREADS"
_asked = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = _asked or "1"

import numpy as _numpy  # noqa: E402, F401

if _asked is None:
    del os.environ[_VARIABLE]
