"""The loan model by BentoML, as its guide to services says; the folder is in LOAN_MODEL.

`bentoml serve service:Loan`
"""

import json
import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import bentoml
import numpy as np
import onnxruntime
from pydantic import StrictInt


@bentoml.service(workers=1)
class Loan:
    def __init__(self) -> None:
        folder = Path(os.environ["LOAN_MODEL"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.classes = json.loads((folder / "metadata.json").read_text())["classes"]
        self.preprocessor, self.model = (
            onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in ("preprocessor.onnx", "model.onnx")
        )

    @bentoml.api
    async def predict(self, age: StrictInt, income: float, credit_score: StrictInt) -> dict:
        columns = {"age": age, "income": income, "credit_score": credit_score}
        (features,) = self.preprocessor.run(
            None, {name: np.array([[value]], np.float32) for name, value in columns.items()}
        )
        labels, shares = self.model.run(["label", "probabilities"], {"features": features})
        return {
            "prediction": self.classes[int(labels[0])],
            "probability": float(shares[0, 1]),
            "probabilities": dict(zip(self.classes, shares[0].tolist())),
        }
