"""Types of the arrays that kernels take and return."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Levels = NDArray[np.int16]
Integers = NDArray[np.int64]
Marks = NDArray[np.uint64]
