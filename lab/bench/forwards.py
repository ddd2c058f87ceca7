"""The limit: the forward passes of a run again, and nothing else.

While a run is watched, each call of a network is noted with the shapes it was given. Replayed, the
same networks get random numbers of these shapes, one call after the other. Whatever the pipeline
could still save besides the networks is the distance to that.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from lab.bench.clock import now, since
from lab.bench.figures import Spent

Call = Callable[[], Any]
SMALL_BYTES = 2**16


class Forwards:
    """The calls of networks, of torch and of ONNX Runtime, whichever this process has loaded."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._inside = threading.local()
        self._made: dict[Any, Any] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note every call of a network; what a network calls within itself is its own."""
        with ExitStack() as undo:
            if "torch" in sys.modules:
                owner: Any = sys.modules["torch"].nn.Module
                self._watch(owner, "__call__", self._of_torch, undo)
            if "onnxruntime" in sys.modules:
                owner = sys.modules["onnxruntime"].InferenceSession
                self._watch(owner, "run", self._of_onnx, undo)
            yield

    def replay(self) -> Spent:
        """Make every call again and return what they took; the first one, to warm up, twice."""
        for call in self.calls[:1]:
            call()
        started = now()
        for call in self.calls:
            call()
        return since(started)

    def _watch(self, owner: Any, name: str, note: Callable[..., Call], undo: ExitStack) -> None:
        original = getattr(owner, name)

        def noted(network: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "call", False):
                return original(network, *args, **kwargs)
            self._inside.call = True
            try:
                self.calls.append(note(original, network, args, kwargs))
                return original(network, *args, **kwargs)
            finally:
                self._inside.call = False

        setattr(owner, name, noted)
        undo.callback(setattr, owner, name, original)

    def _of_torch(self, original: Any, network: Any, args: Any, kwargs: Any) -> Call:
        import torch

        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        cast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        positional = [self._likeness(value) for value in args]
        named = {name: self._likeness(value) for name, value in kwargs.items()}

        def call() -> Any:
            with torch.inference_mode(), torch.autocast(device, enabled=cast[0], dtype=cast[1]):
                found = original(network, *positional, **named)
            if device == "cuda":
                torch.cuda.synchronize()
            return found

        return call

    def _of_onnx(self, original: Any, session: Any, args: Any, kwargs: Any) -> Call:
        outputs = args[0] if args else kwargs.get("output_names")
        feed = args[1] if len(args) > 1 else kwargs["input_feed"]
        alike = {name: self._likeness(value) for name, value in feed.items()}
        return lambda: original(session, outputs, alike)

    def _likeness(self, value: Any) -> Any:
        """Return random numbers in the shape of an array or a tensor; anything else as it is.

        One of each shape is kept: what the numbers are takes no time. Small ones are kept as they
        are: they may be boxes, and what is read off a map depends on where.
        """
        if isinstance(value, np.ndarray):
            if value.nbytes <= SMALL_BYTES:
                return value.copy()
            return self._once(("array", value.shape, value.dtype.str), lambda: _array(value))
        if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
            if value.numel() * value.element_size() <= SMALL_BYTES:
                return value.clone()
            key = ("tensor", tuple(value.shape), value.stride(), value.dtype, value.device)
            return self._once(key, lambda: _tensor(value))
        return value

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _array(value: Any) -> Any:
    random = np.random.default_rng(0).random(value.shape, np.float32)
    return (
        (random * 255).astype(value.dtype)
        if value.dtype.kind in "ui"
        else random.astype(value.dtype)
    )


def _tensor(value: Any) -> Any:
    import torch

    with torch.inference_mode():
        found = torch.empty_like(value)
        return found.uniform_() if value.is_floating_point() else found.random_(0, 2)
