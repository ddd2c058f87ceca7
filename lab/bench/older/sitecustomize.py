"""Python runs this at its start in a baseline that is capped and has no NEEDLE_PRECISION.

Such a checkout looks at the processor alone, finds bfloat16 instructions, and would have them
emulated: far slower than the processor that the cap stands for, which has none, and computes in
float32. Here it does so, too. The folder is on PYTHONPATH of the baseline's processes, no others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

DECIDES = "worker.models.device"


class Float32(MetaPathFinder):
    """Loads the module that decides, and lets it say float32."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        spec = PathFinder.find_spec(name, path) if name == DECIDES else None
        loader: Any = spec.loader if spec else None
        if loader is None:
            return None
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            if hasattr(module, "fast_dtype"):
                module.fast_dtype = lambda device: module.torch.float32

        loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Float32())
