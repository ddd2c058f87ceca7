"""Writes the network for the service: one file of weights, and graphs that refer to it.

`network.safetensors` holds the weights in float16, once. Each ONNX graph names the places of its
own in that file; a GPU worker reads the same file into torch. What a graph of 8 bits has rounded it
carries itself.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file
from torch import nn

from lab.training.int8.graphs import in_8_bits
from lab.training.int8.products import products_in_8_bits
from lab.training.int8.ranges import Feed, outputs
from lab.training.pictures.photos import Pixels
from worker.models.onepass.engine import DEEP_GRID, FINE_GRID, Floats
from worker.models.onepass.heads import DEEP, FINE, Network, Sizes
from worker.models.onepass.loading import FACTS, WEIGHTS
from worker.models.onepass.maps import DEEP_PX, FINE_PX
from worker.models.onepass.network import padding
from worker.models.onepass.onnx_engine import FLOAT32, INT8, WHOLE_HEAD, file_of
from worker.models.onepass.scales import SEEN_PX
from worker.native.pooling import pooled

OPSET = 17


def export(network: Network, folder: Path, name: str) -> None:
    """Write weights, sizes and graphs of a network into a folder; `name` begins its id.

    The network's own weights are rounded to float16 first: both engines have the same then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = network.eval().requires_grad_(False)
    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    save_file(tensors, folder / WEIGHTS)
    facts = {"name": name, "sizes": network.sizes.as_dict()}
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    places = _places(folder / WEIGHTS)
    for part, graph in _graphs(network).items():
        _save(_model(network, graph), places, folder / file_of(part))
    for precision in (FLOAT32, INT8):  # what an earlier version had in place of context and head
        (folder / file_of(WHOLE_HEAD, precision)).unlink(missing_ok=True)


def export_int8(folder: Path, pictures: Sequence[Pixels]) -> None:
    """Write a pack's graphs of 8 bits beside its others; ranges of maps are those of pictures.

    The weights are read from the folder.
    """
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    network = Network(Sizes(**facts["sizes"])).eval().requires_grad_(False)
    tensors = load_file(folder / WEIGHTS)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    places, graphs = _places(folder / WEIGHTS), _graphs(network)
    see, deep = (_model(network, graphs[part]) for part in ("see", "deep"))
    pixels: list[Feed] = [{"pixels": each} for each in pictures]
    maps: list[Feed] = [{"sixteenth": each} for (each,) in outputs(see, ["sixteenth_map"], pixels)]
    for part, model, feeds in (("see", see, pixels), ("deep", deep, maps)):
        _save(in_8_bits(model, feeds), places, folder / file_of(part, INT8))
    head = _model(network, graphs["head"])
    read = [_reading(network, *both) for both in _maps(see, deep, pixels)]
    _save(products_in_8_bits(head, read), places, folder / file_of("head", INT8))


def _maps(see: Any, deep: Any, pictures: Sequence[Feed]) -> Iterator[tuple[Floats, Floats]]:
    """Yield what is read of each picture: its maps at strides 8 and 32."""
    for fine, sixteenth in outputs(see, ["things", "sixteenth_map"], pictures):
        for (cells,) in outputs(deep, ["deep_map"], [{"sixteenth": sixteenth}]):
            yield fine, cells


def _reading(network: Network, fine: Floats, deep: Floats) -> Feed:
    """Return what the head of things is given of squares side by side all over a picture."""
    side = round(SEEN_PX / FINE_PX)
    rows, columns = fine.shape[2:]
    corners = [(x, y) for y in range(0, rows, side) for x in range(0, columns, side)]
    boxes = np.array([(x, y, x + side, y + side) for x, y in corners], np.float32)
    own = boxes * np.float32(FINE_PX / DEEP_PX)
    context = network.context(torch.from_numpy(deep)).numpy()
    return {
        "fine": pooled(fine[0], boxes, FINE_GRID),
        "context": pooled(context[0], own, DEEP_GRID),
    }


Graph = tuple[
    Callable[..., Any], dict[str, torch.Tensor], dict[str, dict[int, str]], tuple[str, ...]
]


def _graphs(network: Network) -> dict[str, Graph]:
    """Return each part with example inputs, what is free of their shapes, and outputs' names."""
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 3.0, 3.0]])
    sixteenth, deep = torch.rand(1, FINE[2], 8, 10), torch.rand(1, DEEP, 4, 5)
    pixels = torch.zeros(128, 160, 3, dtype=torch.uint8)
    free_map, free_boxes = {2: "rows", 3: "columns"}, {0: "boxes"}
    return {
        "see": (
            network.see,
            {"pixels": pixels},
            {"pixels": {0: "height", 1: "width"}},
            ("things", "sixteenth_map", "large", "small"),
        ),
        "deep": (network.deep, {"sixteenth": sixteenth}, {"sixteenth": free_map}, ("deep_map",)),
        "context": (
            network.context,
            {"deep": deep},
            {"deep": free_map},
            ("context_map",),
        ),
        "head": (
            network.thing,
            {
                "fine": torch.rand(2, network.sizes.projected, FINE_GRID, FINE_GRID),
                "context": torch.rand(2, network.sizes.context, DEEP_GRID, DEEP_GRID),
            },
            {"fine": free_boxes, "context": free_boxes},
            ("thing",),
        ),
        "kinds": (
            network.kinds,
            {"deep": deep, "boxes": boxes / 2},
            {"deep": free_map, "boxes": free_boxes},
            ("kind",),
        ),
    }


def _model(network: Network, graph: Graph) -> Any:
    """Return a part of the network as an ONNX model that carries its weights."""
    model = traced(network, *graph)
    _pad_in_convolutions(model)
    return model


def _save(model: Any, places: dict[str, tuple[int, int]], path: Path) -> None:
    _refer(model, places)
    onnx.save(model, path)


class _Part(nn.Module):
    """A method of the network as a module, which is what the exporter takes."""

    def __init__(self, network: nn.Module, run: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network
        self._run = run

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self._run(*inputs)


def traced(
    network: nn.Module,
    run: Callable[..., Any],
    inputs: dict[str, torch.Tensor],
    free: dict[str, dict[int, str]],
    outputs: tuple[str, ...],
) -> Any:
    """Return a method of a network as an ONNX model: inputs by name, the axes that are free."""
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(scratch) / "graph.onnx"
        torch.onnx.export(
            _Part(network, run).eval(),
            tuple(inputs.values()),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free,
            do_constant_folding=False,
        )
        return onnx.load(path)


def _pad_in_convolutions(model: Any) -> None:
    """Let convolutions pad for themselves, unevenly too, which torch has no way to say.

    A node that pads makes ONNX Runtime put a map into another order and back: a third of the time.
    """
    graph = model.graph
    padded = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        pad = padded.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None:
            continue
        sizes = {attribute.name: attribute for attribute in node.attribute}
        before, after = padding(sizes["kernel_shape"].ints[0], sizes["strides"].ints[0])
        sizes["pads"].ints[:] = [before, before, after, after]
        node.input[0] = pad.input[0]
    used = {name for node in graph.node for name in node.input}
    kept = [node for node in graph.node if node.op_type != "Pad" or node.output[0] in used]
    del graph.node[:]
    graph.node.extend(kept)


def _places(weights: Path) -> dict[str, tuple[int, int]]:
    """Return where each tensor's bytes lie in a safetensors file: offset and length."""
    content = weights.read_bytes()
    (head,) = struct.unpack("<Q", content[:8])
    facts = json.loads(content[8 : 8 + head])
    return {
        name: (8 + head + start, stop - start)
        for name, tensor in facts.items()
        if name != "__metadata__"
        for start, stop in [tensor["data_offsets"]]
    }


def _refer(model: Any, places: dict[str, tuple[int, int]]) -> None:
    """Let the graph's weights be read from the file, and cast to float32 when it is loaded."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        name = tensor.name.removeprefix("network.")
        if name not in places:
            continue
        half = f"{tensor.name}.half"
        casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
        offset, length = places[name]
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.name, tensor.data_type = half, TensorProto.FLOAT16
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", WEIGHTS), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
