"""A graph whose backbone computes in 8 bits, in the form that ONNX Runtime reads as such.

Each map and each weight is told in whole numbers and back ("QDQ"); the runtime draws that together
with the convolution between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lab.training.int8.ranges import Feed, Range, ranges
from lab.training.int8.rounding import MapScale, rounded

FIRST_STAGE = 1
"""The stem and the stage before this one stay in float32.

Flat parts of a photo leave small differences there and no more, which 8 bits lose: with them, the
mean cosine of a region's embedding to that of float32 fell from 0.998 to 0.98, for 3 ms of 76.
"""
_STAGES = "network.backbone.stages."


def in_8_bits(model: Any, feeds: Sequence[Feed]) -> Any:
    """Return a copy of a traced graph in which the backbone's later stages compute in 8 bits.

    Ranges of maps are measured on `feeds`. Heads stay as they are: what they cost is little.
    """
    own = onnx.ModelProto()
    own.CopyFrom(model)
    graph = own.graph
    convolutions = {node.output[0]: node for node in graph.node if _is_later(node)}
    _drop_clips(graph, convolutions)
    made = {node.output[0] for node in convolutions.values()}
    made |= _sums(graph.node, made)
    entering = {node.input[0] for node in convolutions.values()} - made
    seen = ranges(model, sorted(made | entering), feeds)
    rewriting = _Rewriting(graph, seen)
    inputs = {each.name for each in graph.input}
    nodes: list[Any] = []
    for name in sorted(entering & inputs):
        nodes += rewriting.told(name, name, _entered(name))
    for node in graph.node:
        name = node.output[0]
        if _is_later(node):
            nodes += rewriting.convolution(node, entering)
        nodes.append(node)
        if name in made:
            node.output[0] = f"{name}.exact"
            nodes += rewriting.told(name, node.output[0], name)
        elif name in entering:
            nodes += rewriting.told(name, name, _entered(name))
    del graph.node[:]
    graph.node.extend(nodes)
    return own


def _is_later(node: Any) -> bool:
    """Tell whether a node is a convolution of a stage that computes in 8 bits."""
    weights = node.input[1] if node.op_type == "Conv" else ""
    if not weights.startswith(_STAGES):
        return False
    return int(weights.removeprefix(_STAGES).split(".")[0]) >= FIRST_STAGE


def _drop_clips(graph: Any, convolutions: dict[str, Any]) -> None:
    """Let convolutions give what a ReLU6 after them would: bytes are cut off at its ends anyway."""
    for node in [node for node in graph.node if node.op_type == "Clip"]:
        if node.input[0] in convolutions:
            convolutions[node.input[0]].output[0] = node.output[0]
            graph.node.remove(node)


def _sums(nodes: Iterable[Any], made: set[str]) -> set[str]:
    """Return the sums of what is told in bytes; nodes are in the order of their running."""
    told, sums = set(made), set()
    for node in nodes:
        if node.op_type == "Add" and told.issuperset(node.input):
            sums.add(node.output[0])
            told.add(node.output[0])
    return sums


def _entered(name: str) -> str:
    return f"{name}.entered"


class _Rewriting:
    """Puts whole numbers into a graph; what it returns are nodes to run at that place."""

    def __init__(self, graph: Any, seen: dict[str, Range]) -> None:
        self._graph, self._seen = graph, seen
        self._scales = {name: MapScale.of(one.low, one.high) for name, one in seen.items()}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}

    def told(self, name: str, source: str, into: str) -> list[Any]:
        """Tell a map in bytes and back."""
        scale = self._scales[name]
        step = self._put(f"{name}.step", np.asarray(scale.step))
        zero = self._put(f"{name}.zero", np.asarray(scale.zero))
        coded = f"{name}.bytes"
        return [
            helper.make_node("QuantizeLinear", [source, step, zero], [coded]),
            helper.make_node("DequantizeLinear", [coded, step, zero], [into]),
        ]

    def convolution(self, node: Any, entering: set[str]) -> list[Any]:
        """Round a convolution's weights and bias."""
        source, weights, bias = node.input
        scale = self._scales[source]
        whole = rounded(self._take(weights), self._take(bias), self._seen[source], scale)
        if source in entering:
            node.input[0] = _entered(source)
        return [
            self._whole(weights, whole.weights, whole.steps),
            self._whole(bias, whole.bias, whole.steps * scale.step),
        ]

    def _whole(self, name: str, numbers: Any, steps: Any) -> Any:
        inputs = [
            self._put(f"{name}.whole", numbers),
            self._put(f"{name}.steps", steps),
            self._put(f"{name}.zeros", np.zeros(len(steps), numbers.dtype)),
        ]
        return helper.make_node("DequantizeLinear", inputs, [name], axis=0)

    def _take(self, name: str) -> Any:
        tensor = self._weights.pop(name)
        numbers = numpy_helper.to_array(tensor)
        self._graph.initializer.remove(tensor)
        return numbers

    def _put(self, name: str, numbers: Any) -> str:
        self._graph.initializer.append(numpy_helper.from_array(numbers, name))
        return name
