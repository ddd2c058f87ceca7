"""EfficientNet-Lite0's maps in torch, with its normalisation folded into the convolutions.

The architecture is that of Tan and Le, "EfficientNet" (2019), in its Lite form: no squeeze and
excitation, ReLU6. A GPU runs this network; a CPU runs the same weights in ONNX Runtime.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

STEM = 32
# (layers, kernel, stride, expansion, channels) of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
FINE_STAGES = 5
"""The stages up to stride 16; those after them see kinds of things rather than things."""


class Convolution(nn.Module):
    """A convolution with bias, padded so that an even side is halved as TensorFlow halves it."""

    def __init__(
        self, into: int, out: int, kernel: int, stride: int = 1, *, groups: int = 1
    ) -> None:
        super().__init__()
        before, after = padding(kernel, stride)
        even = before == after
        self.conv = nn.Conv2d(
            into, out, kernel, stride, padding=before if even else 0, groups=groups
        )
        self._pad = None if even else (before, after, before, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, out, height / stride, width / stride)."""
        y: torch.Tensor = self.conv(x if self._pad is None else F.pad(x, self._pad))
        return y


def padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros lie before and after a row that the stride divides."""
    before = (kernel - stride) // 2
    return before, kernel - stride - before


class Block(nn.Module):
    """An inverted residual: widened by a 1 x 1, a depthwise convolution, narrowed again."""

    def __init__(self, into: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = into * expansion
        self.expand = Convolution(into, inner, 1) if expansion > 1 else None
        self.depthwise = Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = Convolution(inner, out, 1)
        self.residual = stride == 1 and into == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, out, height / stride, width / stride)."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = F.relu6(self.depthwise(y))
        narrow: torch.Tensor = self.project(y)
        return x + narrow if self.residual else narrow


class Backbone(nn.Module):
    """Maps of an image at strides 4, 8 and 16 (`fine`), and after the last at 32 (`deep`)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM, 3, 2)
        stages, width = [], STEM
        for layers, kernel, stride, expansion, out in STAGES:
            blocks = [Block(width, out, kernel, stride, expansion)]
            blocks += [Block(out, out, kernel, 1, expansion) for _ in range(layers - 1)]
            stages.append(nn.Sequential(*blocks))
            width = out
        self.stages = nn.ModuleList(stages)

    def fine(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return maps of 24, 40 and 112 channels of RGB (N, 3, height, width), 0..255.

        Height and width are multiples of 32.
        """
        x = F.relu6(self.stem((pixels - 127.0) / 128.0))
        maps = []
        for stage in self.stages[:FINE_STAGES]:
            x = stage(x)
            maps.append(x)
        return maps[1], maps[2], maps[4]

    def deep(self, sixteenth: torch.Tensor) -> torch.Tensor:
        """Return the map of 320 channels at stride 32, of `fine`'s map at stride 16."""
        for stage in self.stages[FINE_STAGES:]:
            sixteenth = stage(sixteenth)
        return sixteenth
