"""Writes light-images.onnx and heavy-images.onnx, beside itself: `python images.py`, with the packages of
examples/loan/requirements.txt.

Both take pictures as float[N, 224, 224, 3] and answer float[N, 10]. The light one averages each line: what it costs is to take
the picture in. The heavy one is four convolutions, some tens of milliseconds on a core; like that of
mlp.onnx, its weights are computed by ONNX Runtime while it loads the graph.
"""

from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

SIZE = 224
CLASSES = 10
# Channels in, channels out, stride
CONVOLUTIONS = [(3, 32, 2), (32, 64, 1), (64, 64, 2), (64, 128, 1)]


def weight(name: str, shape: list[int]) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes that compute a weight of this shape, as large as a fresh network's."""
    constants = [
        numpy_helper.from_array(np.array(0, np.float32), f"{name}_from"),
        numpy_helper.from_array(np.array(1, np.float32), f"{name}_step"),
        numpy_helper.from_array(np.array(np.prod(shape), np.float32), f"{name}_count"),
        numpy_helper.from_array(np.array(np.prod(shape[1:]) ** -0.5, np.float32), f"{name}_scale"),
        numpy_helper.from_array(np.array(shape, np.int64), f"{name}_shape"),
    ]
    nodes = [
        helper.make_node("Range", [f"{name}_from", f"{name}_count", f"{name}_step"], [f"{name}_range"]),
        helper.make_node("Sin", [f"{name}_range"], [f"{name}_sine"]),
        helper.make_node("Mul", [f"{name}_sine", f"{name}_scale"], [f"{name}_flat"]),
        helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]),
    ]
    return nodes, constants


def model(name: str, body: list[NodeProto], constants: list[TensorProto], channels: int) -> ModelProto:
    """A model whose body turns "image" into "pooled", [N, channels]."""
    nodes, more_constants = weight("classes", [channels, CLASSES])
    graph = helper.make_graph(
        [*body, *nodes, helper.make_node("MatMul", ["pooled", "classes"], ["scores"])],
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", CLASSES])],
        [*constants, *more_constants],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    checker.check_model(made, full_check=True)
    return made


def mean(value: str, axes: list[int]) -> tuple[list[NodeProto], list[TensorProto]]:
    constants = [numpy_helper.from_array(np.array(axes, np.int64), "axes")]
    return [helper.make_node("ReduceMean", [value, "axes"], ["pooled"], keepdims=0)], constants


def light() -> ModelProto:
    nodes, constants = mean("image", [2, 3])
    return model("light-images", nodes, constants, channels=SIZE)


def heavy() -> ModelProto:
    nodes = [helper.make_node("Transpose", ["image"], ["channels_first"], perm=[0, 3, 1, 2])]
    constants: list[TensorProto] = []
    value = "channels_first"
    for layer, (taken, given, stride) in enumerate(CONVOLUTIONS):
        name = f"weight_{layer}"
        computed, of_weight = weight(name, [given, taken, 3, 3])
        nodes += [
            *computed,
            helper.make_node("Conv", [value, name], [f"conv_{layer}"], strides=[stride] * 2, pads=[1] * 4),
            helper.make_node("Relu", [f"conv_{layer}"], [f"relu_{layer}"]),
        ]
        constants += of_weight
        value = f"relu_{layer}"
    pooling, axes = mean(value, [2, 3])
    return model("heavy-images", [*nodes, *pooling], [*constants, *axes], CONVOLUTIONS[-1][1])


for made in (light(), heavy()):
    (Path(__file__).parent / f"{made.graph.name}.onnx").write_bytes(made.SerializeToString(deterministic=True))
