"""Writes mlp.onnx, beside itself: `python mlp.py`, with the packages of examples/loan/requirements.txt.

A million parameters in less than a kilobyte: ONNX Runtime computes the weights, once, while it loads the graph.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

WIDTHS = [64, 960, 960, 10]

nodes, constants = [], [
    numpy_helper.from_array(np.array(0, np.float32), "zero"),
    numpy_helper.from_array(np.array(1, np.float32), "one"),
]
value = "x"
for layer, (taken, given) in enumerate(zip(WIDTHS, WIDTHS[1:])):
    name = lambda part: f"{part}_{layer}"
    constants += [
        numpy_helper.from_array(np.array(taken * given, np.float32), name("count")),
        numpy_helper.from_array(np.array([taken, given], np.int64), name("shape")),
        numpy_helper.from_array(np.array(taken**-0.5, np.float32), name("scale")),
    ]
    nodes += [
        helper.make_node("Range", ["zero", name("count"), "one"], [name("range")]),
        helper.make_node("Sin", [name("range")], [name("sine")]),
        helper.make_node("Mul", [name("sine"), name("scale")], [name("flat")]),
        helper.make_node("Reshape", [name("flat"), name("shape")], [name("weight")]),
        helper.make_node("MatMul", [value, name("weight")], [name("sum")]),
    ]
    value = name("sum")
    if layer < len(WIDTHS) - 2:
        nodes.append(helper.make_node("Relu", [value], [name("relu")]))
        value = name("relu")
nodes.append(helper.make_node("Identity", [value], ["y"]))

model = helper.make_model(
    helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTHS[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", WIDTHS[-1]])],
        constants,
    ),
    opset_imports=[helper.make_opsetid("", 21)],
    ir_version=10,
)
checker.check_model(model)
(Path(__file__).parent / "mlp.onnx").write_bytes(model.SerializeToString(deterministic=True))
