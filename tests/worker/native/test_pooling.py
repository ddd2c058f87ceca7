"""The kernel that pools boxes, against torch's, and packs whose graphs still do that themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from torchvision.ops import roi_align

from lab.training.export import traced
from tests.assets import MINI
from tests.textures import texture
from worker.models.onepass.heads import Network, Sizes
from worker.models.onepass.loading import load_onepass
from worker.native.pooling import pooled


def boxes_of(rng: np.random.Generator, rows: int, columns: int, count: int) -> np.ndarray:
    """Return boxes of every size, some of which leave the map."""
    centres = rng.uniform(-1, 1, (count, 2)) * [columns / 1.6, rows / 1.6] + [columns / 2, rows / 2]
    sides = np.exp(rng.uniform(np.log(0.2), np.log(1.5 * max(rows, columns)), (count, 2)))
    return np.hstack([centres - sides / 2, centres + sides / 2]).astype(np.float32)


@pytest.mark.parametrize(("channels", "grid"), [(64, 6), (48, 3), (1, 1), (5, 8)])
def test_boxes_are_pooled_as_torch_pools_them(channels: int, grid: int) -> None:
    rng = np.random.default_rng(channels)
    maps = rng.normal(size=(channels, 23, 31)).astype(np.float32)
    boxes = boxes_of(rng, 23, 31, 300)
    wanted = roi_align(
        torch.from_numpy(maps)[None],
        [torch.from_numpy(boxes)],
        (grid, grid),
        1.0,
        sampling_ratio=2,
        aligned=True,
    ).numpy()
    found = pooled(maps, boxes, grid)
    assert found.shape == wanted.shape and np.abs(found - wanted).max() < 2e-5


def test_no_box_and_too_many_channels() -> None:
    maps = np.zeros((64, 4, 4), np.float32)
    assert pooled(maps, np.zeros((0, 4), np.float32), 6).shape == (0, 64, 6, 6)
    with pytest.raises(ValueError, match="at most 64 channels"):
        pooled(np.zeros((65, 4, 4), np.float32), np.zeros((1, 4), np.float32), 6)


def test_a_pack_whose_graph_pools_by_itself_still_runs(tmp_path: Path) -> None:
    """Packs that were trained before have one graph, `things.onnx`, for context and head."""
    folder = Path(shutil.copytree(MINI, tmp_path / "net"))
    (folder / "things.onnx").write_bytes(b"of an earlier version, and left behind")
    assert load_onepass(folder, device="cpu", precision="float32", threads=1)
    for name in ("context.onnx", "head.onnx", "head.int8.onnx"):
        (folder / name).unlink()
    network = Network(Sizes(**json.loads((folder / "network.json").read_text())["sizes"])).eval()
    tensors = load_file(folder / "network.safetensors")
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 3.0, 3.0]])
    names = ("fine", "deep", "fine_boxes", "deep_boxes")
    inputs = torch.rand(1, 64, 8, 10), torch.rand(1, 320, 4, 5), boxes, boxes / 2
    free = {name: {2: f"{name}_rows", 3: f"{name}_columns"} for name in names[:2]}
    free |= {name: {0: "boxes"} for name in names[2:]}
    whole = traced(network, network.things, dict(zip(names, inputs, strict=True)), free, ("thing",))
    onnx.save(whole, folder / "things.onnx")
    picture = texture(1, (200, 160))
    wanted, found = (
        load_onepass(pack, device="cpu", precision="float32", threads=1).encode_images([picture])
        for pack in (MINI, folder)
    )
    assert float((wanted * found).sum()) == pytest.approx(1, abs=1e-5)
