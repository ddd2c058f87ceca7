"""The network in ONNX Runtime: what a CPU runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from common.errors import InvalidModel
from worker.models.onepass.engine import Floats, Pixels, Seen

GRAPHS = ("see", "deep", "things", "kinds")


class OnnxEngine:
    """An `Engine` on a CPU, in float32."""

    device, precision = "cpu", "float32"

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Load the graphs in a folder; they share one file of weights.

        `threads` 0 takes every core. Raises InvalidModel where the folder holds none.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait by spinning take the cores from everything beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Inputs have many sizes: a pattern of memory for each would be kept for nothing.
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        try:
            self._see, self._deep, self._things, self._kinds = (
                onnxruntime.InferenceSession(
                    str(folder / f"{graph}.onnx"), options, providers=["CPUExecutionProvider"]
                )
                for graph in GRAPHS
            )
        except Exception as exc:  # onnxruntime raises what it likes
            raise InvalidModel(f"The network in {folder} cannot be loaded: {exc}") from exc

    def see(self, pixels: Pixels) -> Seen:
        """See Engine."""
        things, sixteenth, large, small = _run(self._see, pixels=np.ascontiguousarray(pixels))
        return Seen(things[0], sixteenth[0], large[0], small[0])

    def deep(self, sixteenth: Floats) -> Floats:
        """See Engine."""
        cells: Floats = _run(self._deep, sixteenth=sixteenth[None])[0][0]
        return cells

    def things(self, fine: Floats, deep: Floats, fine_boxes: Floats, deep_boxes: Floats) -> Floats:
        """See Engine."""
        own: Floats = _run(
            self._things,
            fine=fine[None],
            deep=deep[None],
            fine_boxes=fine_boxes,
            deep_boxes=deep_boxes,
        )[0]
        return own

    def kinds(self, deep: Floats, boxes: Floats) -> Floats:
        """See Engine."""
        kinds: Floats = _run(self._kinds, deep=deep[None], boxes=boxes)[0]
        return kinds


def _run(session: Any, **inputs: Any) -> Any:
    return session.run(None, inputs)
