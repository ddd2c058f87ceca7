"""Memory and use of this machine's GPUs, by the driver's own library (NVML), where there is one."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from common.metrics.asked import Asked


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Use(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Gpus(Asked):
    """The GPUs of this machine, numbered as the driver does."""

    def __init__(self, library: Any) -> None:
        self._nvml = library

    @classmethod
    def found(cls) -> Gpus | None:
        """Return them; None where there is no driver."""
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        return cls(library) if library.nvmlInit_v2() == 0 else None

    def collect(self) -> Iterator[Any]:
        """Yield every metric; what the driver does not say of a GPU is left out."""
        used = _family("needle_gpu_memory_used_bytes", "Memory of the GPU in use, by anybody.")
        total = _family("needle_gpu_memory_total_bytes", "Memory of the GPU.")
        busy = _family(
            "needle_gpu_utilization_ratio",
            "Share of the last moments in which the GPU was at work.",
        )
        for number in range(self._count()):
            handle = ctypes.c_void_p()
            if self._nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)):
                continue
            memory, use = _Memory(), _Use()
            if not self._nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
                used.add_metric([str(number)], memory.used)
                total.add_metric([str(number)], memory.total)
            if not self._nvml.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(use)):
                busy.add_metric([str(number)], use.gpu / 100)
        yield from (used, total, busy)

    def _count(self) -> int:
        count = ctypes.c_uint()
        return 0 if self._nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) else count.value


def _family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["gpu"])
