"""The network in torch: what a GPU runs, with the weights that a CPU runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from common.errors import InvalidModel
from worker.models.device import autocast
from worker.models.onepass.engine import Floats, Pixels, Seen
from worker.models.onepass.heads import Network, Sizes


class TorchEngine:
    """An `Engine` on any of torch's devices; threads take turns."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Load the weights in a folder. Raises InvalidModel where it holds none."""
        self.device, self.precision = str(device), str(dtype).removeprefix("torch.")
        self._device, self._dtype = device, dtype
        self._lock = threading.Lock()
        try:
            facts = json.loads((folder / "network.json").read_text(encoding="utf-8"))
            network = Network(Sizes(**facts["sizes"]))
            tensors = load_file(folder / "network.safetensors")
            network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except Exception as exc:  # broken files raise anything
            raise InvalidModel(f"The network in {folder} cannot be loaded: {exc}") from exc
        network.eval().requires_grad_(False)
        self._network = network.to(device).to(memory_format=torch.channels_last)

    def see(self, pixels: Pixels) -> Seen:
        """See Engine."""
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            image = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(self._device)
            maps = self._network.see(image)
        things, sixteenth, large, small = (_floats(part[0]) for part in maps)
        return Seen(things, sixteenth, large, small)

    def deep(self, sixteenth: Floats) -> Floats:
        """See Engine."""
        with self._lock, torch.inference_mode(), autocast(self._device, self._dtype):
            return _floats(self._network.deep(self._batch(sixteenth))[0])

    def things(self, fine: Floats, deep: Floats, fine_boxes: Floats, deep_boxes: Floats) -> Floats:
        """See Engine. Computed in float32: it costs little, and RoIAlign has no bfloat16."""
        with self._lock, torch.inference_mode():
            return _floats(
                self._network.things(
                    self._batch(fine),
                    self._batch(deep),
                    self._boxes(fine_boxes),
                    self._boxes(deep_boxes),
                )
            )

    def kinds(self, deep: Floats, boxes: Floats) -> Floats:
        """See Engine. Computed in float32."""
        with self._lock, torch.inference_mode():
            return _floats(self._network.kinds(self._batch(deep), self._boxes(boxes)))

    def _batch(self, maps: Floats) -> torch.Tensor:
        return torch.from_numpy(maps)[None].to(self._device)

    def _boxes(self, boxes: Floats) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(boxes)).to(self._device)


def _floats(tensor: torch.Tensor) -> Floats:
    floats: Floats = tensor.float().cpu().numpy()
    return floats
