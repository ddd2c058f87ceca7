"""The network in ONNX Runtime: what a CPU runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from common.errors import InvalidModel
from worker.models.onepass.engine import DEEP_GRID, FINE_GRID, Floats, Pixels, Seen
from worker.native.pooling import MOST_CHANNELS, pooled

FLOAT32, INT8 = "float32", "int8"
GRAPHS = ("see", "deep", "context", "head", "kinds")
_IN_8_BITS = ("see", "deep", "head")
"""What runs the backbone, and the head whose products cost most. Kinds stay in float32."""
WHOLE_HEAD = "things"
"""What packs of earlier versions have for the context and the head: one graph, which also pools."""


def file_of(graph: str, precision: str = FLOAT32) -> str:
    """Return the name of a graph's file in a pack's folder."""
    return f"{graph}.int8.onnx" if precision == INT8 and graph in _IN_8_BITS else f"{graph}.onnx"


def cpu_precision(requested: str, folder: Path) -> str:
    """Return what a network on a CPU computes in, for a precision of the settings.

    `auto` is int8 where the folder has graphs of 8 bits. bfloat16 and float16 are torch's, and
    float32 here.
    """
    if requested != "auto":
        return INT8 if requested == INT8 else FLOAT32
    return INT8 if any((folder / file_of(part, INT8)).is_file() for part in _IN_8_BITS) else FLOAT32


class OnnxEngine:
    """An `Engine` on a CPU: in float32, or with a backbone in int8."""

    device = "cpu"

    def __init__(self, folder: Path, *, precision: str = FLOAT32, threads: int = 0) -> None:
        """Load the graphs in a folder; they share one file of weights.

        `threads` 0 takes every core. Raises InvalidModel where the folder holds none.
        """
        self.precision = precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait by spinning take the cores from everything beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Inputs have many sizes: a pattern of memory for each would be kept for nothing.
        options.enable_mem_pattern = False
        options.log_severity_level = 3

        def load(graph: str) -> Any:
            path = folder / file_of(graph, precision)
            if not path.is_file() and graph in ("head", WHOLE_HEAD):
                path = folder / file_of(graph)  # of an earlier version, in float32 alone
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )

        self._whole_head: Any = None
        try:
            self._see, self._deep, self._kinds = map(load, ("see", "deep", "kinds"))
            if (folder / file_of("head")).is_file() or not (folder / file_of(WHOLE_HEAD)).is_file():
                self._context, self._head = load("context"), load("head")
                _check_channels(self._head)
            else:
                self._whole_head = load(WHOLE_HEAD)
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
        own: Floats
        if self._whole_head is not None:
            maps = {"fine": fine[None], "deep": deep[None]}
            boxes = {"fine_boxes": fine_boxes, "deep_boxes": deep_boxes}
            own = _run(self._whole_head, **maps, **boxes)[0]
            return own
        context = _run(self._context, deep=deep[None])[0][0]
        own = _run(
            self._head,
            fine=pooled(fine, fine_boxes, FINE_GRID),
            context=pooled(context, deep_boxes, DEEP_GRID),
        )[0]
        return own

    def kinds(self, deep: Floats, boxes: Floats) -> Floats:
        """See Engine."""
        kinds: Floats = _run(self._kinds, deep=deep[None], boxes=boxes)[0]
        return kinds


def _check_channels(head: Any) -> None:
    for given in head.get_inputs():
        if given.shape[1] > MOST_CHANNELS:
            raise ValueError(f"its head takes maps of more than {MOST_CHANNELS} channels")


def _run(session: Any, **inputs: Any) -> Any:
    return session.run(None, inputs)
