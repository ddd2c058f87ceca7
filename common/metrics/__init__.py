"""What the processes measure of themselves, for Prometheus.

`counted.py` declares what is counted where it happens; `service.py` and `gpu.py` look up the rest
when Prometheus asks (`asked.py`); `sharing.py` joins what the processes of one tree count;
`exposing.py` shows all of it at a port. The one package that knows `prometheus_client`.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.metrics.counted import Meters

_first = threading.Lock()


@cache
def meters() -> Meters:
    """Return what this process counts.

    Made on the first call: whether processes share their counts is settled before, by
    `sharing.begin`.
    """
    with _first:  # `cache` lets two threads in that come at once, and the second would fail
        return _made()


@cache
def _made() -> Meters:
    from common.metrics.counted import Meters

    return Meters()
