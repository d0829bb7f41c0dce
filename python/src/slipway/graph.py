"""Small changes to exported graphs, so that all of them look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

OPSETS = {"": 21, "ai.onnx.ml": 3}
"""What graphs are made for, where the exporter can."""

_PROTOBUF_BYTES = 2**31 - 2**20
"""A protobuf file holds 2 GiB at most; weights of larger models go into a file beside it."""
_FLOAT_OPERATORS = {
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "SVMClassifier",
    "SVMRegressor",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
}
_NOT_ACTIVATIONS = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Dropout", "Transpose"}


def renamed(model: ModelProto, names: Mapping[str, str]) -> ModelProto:
    """With inputs and outputs, and what refers to them, under other names."""
    used = {name for node in model.graph.node for name in (*node.input, *node.output)}
    # A name within the graph that is the new one of an input or output makes way.
    fresh = {name: f"{name}_inner" for name in used & set(names.values()) if name not in names}
    to = {**fresh, **{old: new for old, new in names.items() if old != new}}
    for graph in _graphs(model.graph):
        for node in graph.node:
            node.input[:] = [to.get(name, name) for name in node.input]
            node.output[:] = [to.get(name, name) for name in node.output]
        for values in (graph.input, graph.output, graph.value_info, graph.initializer):
            for value in values:
                value.name = to.get(value.name, value.name)
    return model


def with_outputs(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """With these outputs only, and without the nodes that only others needed."""
    kept = [output for name in names for output in model.graph.output if output.name == name]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    needed = set(names)
    nodes = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input) | {name for graph in _inner(node) for each in graph.node for name in each.input}
    kept_nodes = nodes[::-1]
    del model.graph.node[:]
    model.graph.node.extend(kept_nodes)
    return model


def cast_output(model: ModelProto, element: int) -> ModelProto:
    """With the only output cast to this element type."""
    (output,) = model.graph.output
    if output.type.tensor_type.elem_type == element:
        return model
    name = output.name
    renamed(model, {name: f"{name}_exact"})
    model.graph.node.append(helper.make_node("Cast", [f"{name}_exact"], [name], to=element))
    output.name = name
    output.type.tensor_type.elem_type = element
    return model


def declare_floats(model: ModelProto) -> None:
    """Outputs of operators that always give float32 are declared so, where the exporter takes them for the inputs' double."""
    for output in model.graph.output:
        operator = _made_by(model, output.name, _NOT_ACTIVATIONS - {"Cast"})
        if output.type.tensor_type.elem_type == DOUBLE and operator in _FLOAT_OPERATORS:
            output.type.tensor_type.elem_type = FLOAT


def final_activation(model: ModelProto, output: str) -> str | None:
    """`Sigmoid`, `Softmax`, … when that is what the output comes out of; else the name of another operation."""
    return _made_by(model, output, _NOT_ACTIVATIONS)


def element_type(model: ModelProto, output: str) -> int:
    """Of an output, as onnx.TensorProto has it."""
    return next(int(each.type.tensor_type.elem_type) for each in model.graph.output if each.name == output)


def write(model: ModelProto, file: Path) -> None:
    """The same bytes for the same graph; large weights in `model.onnx.data` beside it."""
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # some exporters list them in random order
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    # Exporters note on every node from which line of which file, on this machine, it came.
    for graph in _graphs(model.graph):
        for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
            if hasattr(part, "metadata_props"):
                del part.metadata_props[:]
    if hasattr(model, "metadata_props"):
        del model.metadata_props[:]
    if model.ByteSize() < _PROTOBUF_BYTES:
        file.write_bytes(model.SerializeToString(deterministic=True))
    else:
        onnx.save_model(model, str(file), save_as_external_data=True, location=f"{file.name}.data")


def chained(
    first: ModelProto, then: Callable[[int, int], ModelProto], element: int, name: str
) -> tuple[ModelProto, ModelProto]:
    """A preprocessor and the model that `then(element, width)` makes for its only output, cast to `element`."""
    (output,) = first.graph.output
    cast_output(first, element)
    renamed(first, {output.name: name})
    width = first.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    return first, then(element, width)


def opsets(newest: int) -> dict[str, int]:
    """OPSETS, or what an older exporter can."""
    return OPSETS | {"": min(OPSETS[""], newest)}


DOUBLE = TensorProto.DOUBLE
FLOAT = TensorProto.FLOAT


def _made_by(model: ModelProto, output: str, through: set[str]) -> str | None:
    made_by = {name: node for node in model.graph.node for name in node.output}
    node = made_by.get(output)
    while node is not None and node.op_type in through:
        node = made_by.get(node.input[0])
    return node.op_type if node is not None else None


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    return [graph, *(deeper for node in graph.node for inner in _inner(node) for deeper in _graphs(inner))]


def _inner(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
