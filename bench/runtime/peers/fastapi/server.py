"""The loan model by FastAPI, as one would write it with care: typed input, `async def`, ONNX Runtime in the same process.

`python fastapi_server.py FOLDER` prints "listening PORT" when it is ready.
"""

import asyncio
import json
import os
import socket
import sys
import uuid
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, StrictInt

folder = Path(sys.argv[1])
metadata = json.loads((folder / "metadata.json").read_text())
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
preprocessor, model = (
    onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
    for name in ("preprocessor.onnx", "model.onnx")
)
app = FastAPI()


class Applicant(BaseModel):
    age: StrictInt
    income: float
    credit_score: StrictInt


class Answer(BaseModel):
    prediction: str
    probability: float
    probabilities: dict[str, float]
    model_version: str
    model_variant: str
    request_id: str


@app.post("/predict")
async def predict(applicant: Applicant) -> Answer:
    columns = {name: np.array([[value]], np.float32) for name, value in applicant.model_dump().items()}
    (features,) = preprocessor.run(None, columns)
    labels, shares = model.run(["label", "probabilities"], {"features": features})
    classes = metadata["classes"]
    return Answer(
        prediction=classes[int(labels[0])],
        probability=float(shares[0, 1]),
        probabilities=dict(zip(classes, shares[0].tolist())),
        model_version=metadata["version"],
        model_variant="default",
        request_id=str(uuid.uuid4()),
    )


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, loop="uvloop", http="httptools"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    print(f"listening {listener.getsockname()[1]}", flush=True)
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
