"""A head whose large matrix products compute in 8 bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lab.training.int8.ranges import Feed, outputs
from lab.training.int8.rounding import MapScale, whole_rows

LARGE = 2**18
"""Weights of a product from which on it pays: what goes in has to be told in bytes first."""


def products_in_8_bits(model: Any, feeds: Iterable[Feed]) -> Any:
    """Return a copy of a traced graph whose products with large matrices compute in 8 bits.

    What goes into them is measured on `feeds`. Its bytes are the same whatever is beside it: a box
    has one embedding.
    """
    own = onnx.ModelProto()
    own.CopyFrom(model)
    graph = own.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    turned = {node.output[0]: node for node in graph.node if node.op_type == "Transpose"}
    large = {
        node.output[0]: name
        for node in graph.node
        if (name := _rows_of(node, turned)) and np.prod(weights[name].dims) >= LARGE
    }
    sources = sorted({node.input[0] for node in graph.node if node.output[0] in large})
    scales = _scales(model, sources, feeds)

    def put(name: str, numbers: Any) -> str:
        graph.initializer.append(numpy_helper.from_array(numbers, name))
        return name

    def coded(source: str) -> Any:
        step = put(f"{source}.step", np.asarray(scales[source].step))
        zero = put(f"{source}.zero", np.asarray(scales[source].zero))
        return helper.make_node("QuantizeLinear", [source, step, zero], [f"{source}.bytes"])

    def product(node: Any) -> Iterator[Any]:
        source, into, name = node.input[0], node.output[0], large[node.output[0]]
        whole, steps = whole_rows(numpy_helper.to_array(weights[name]))
        graph.initializer.remove(weights[name])
        put(f"{name}.whole", np.ascontiguousarray(whole.T))
        put(f"{name}.steps", steps * scales[source].step)
        sums, floats, exact = (f"{into}.{part}" for part in ("sums", "floats", "exact"))
        inputs = [f"{source}.bytes", f"{name}.whole", f"{source}.zero"]
        yield helper.make_node("MatMulInteger", inputs, [sums])
        yield helper.make_node("Cast", [sums], [floats], to=TensorProto.FLOAT)
        biased = node.op_type == "Gemm"
        yield helper.make_node("Mul", [floats, f"{name}.steps"], [exact if biased else into])
        if biased:
            yield helper.make_node("Add", [exact, node.input[2]], [into])

    nodes: list[Any] = []
    for node in graph.node:
        if node.output[0] in large:
            if node.input[0] in sources:
                sources.remove(node.input[0])
                nodes.append(coded(node.input[0]))
            nodes += product(node)
        elif node.op_type != "Transpose" or node.input[0] not in large.values():
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return own


def _scales(model: Any, names: Sequence[str], feeds: Iterable[Feed]) -> dict[str, MapScale]:
    """Return how the named numbers are told: over the means of their ends, as maps are."""
    if not names:
        return {}
    seen = [
        [(min(values.min(), 0), max(values.max(), 0)) for values in found]
        for found in outputs(model, names, feeds)
    ]
    ends = np.mean(seen, axis=0)  # (names, 2)
    return {name: MapScale.of(*pair) for name, pair in zip(names, ends.tolist(), strict=True)}


def _rows_of(node: Any, turned: dict[str, Any]) -> str | None:
    """Return the name of a product's weights, (out, in); None where the node is no such product."""
    if node.op_type == "Gemm":
        return str(node.input[1])
    if node.op_type == "MatMul" and node.input[1] in turned:
        return str(turned[node.input[1]].input[0])
    return None
