"""The loan model by LitServe, as its documentation says, with its batching.

`python server.py FOLDER PORT`
"""

import json
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import litserve
import numpy as np
import onnxruntime

FIELDS = ("age", "income", "credit_score")


class Loan(litserve.LitAPI):
    def __init__(self, folder: Path) -> None:
        super().__init__(max_batch_size=64, batch_timeout=0.002)
        self.folder = folder

    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.classes = json.loads((self.folder / "metadata.json").read_text())["classes"]
        self.preprocessor, self.model = (
            onnxruntime.InferenceSession(self.folder / name, options, providers=["CPUExecutionProvider"])
            for name in ("preprocessor.onnx", "model.onnx")
        )

    def decode_request(self, request: dict) -> np.ndarray:
        return np.array([request[name] for name in FIELDS], np.float32)

    def predict(self, rows: np.ndarray) -> list:
        columns = {name: rows[:, [index]] for index, name in enumerate(FIELDS)}
        (features,) = self.preprocessor.run(None, columns)
        return list(zip(*self.model.run(["label", "probabilities"], {"features": features})))

    def encode_response(self, output: tuple) -> dict:
        label, shares = output
        return {
            "prediction": self.classes[int(label)],
            "probability": float(shares[1]),
            "probabilities": dict(zip(self.classes, shares.tolist())),
        }


if __name__ == "__main__":
    server = litserve.LitServer(
        Loan(Path(sys.argv[1])), accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True
    )
    server.run(host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, log_level="warning", generate_client_file=False)
