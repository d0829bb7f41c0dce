"""Logs the models of mlflow.test.ts to the server given: python log_models.py TRACKING_URI. Prints their ids as JSON."""

import json
import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.models import infer_signature
from onnx import TensorProto, helper, numpy_helper


def linear(weights: np.ndarray) -> onnx.ModelProto:
    """y = x @ weights for a matrix of float columns."""
    columns, outputs = weights.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("models")
rows = pd.DataFrame({"income": [1.5], "age": pd.Series([2], dtype="int64")})
signature = infer_signature(rows, np.zeros((1, 1), dtype=np.float32))

with mlflow.start_run() as run:
    small = mlflow.onnx.log_model(
        linear(np.array([[2.0], [10.0]])), name="model", registered_model_name="Loan", signature=signature
    )
    # 8 KB of weights: enough for mlflow.onnx to put them into a file of their own.
    wide = linear(np.ones((2000, 1)))
    large = mlflow.onnx.log_model(wide, name="wide", registered_model_name="Wide", save_as_external_data=True)
    mlflow.pyfunc.log_model(name="python", python_model=Doubling(), registered_model_name="Python")
    mlflow.log_artifact(__file__, "notes")

mlflow.MlflowClient().set_registered_model_alias("Loan", "champion", "1")
print(json.dumps({"run": run.info.run_id, "loggedModel": small.model_id}))
