"""A pickled scikit-learn model behind FastAPI, which fulfils docs/runtime-contract.md: so it can be a version of a
ModelDeployment beside others, be they ONNX models or not.

    python app.py        with PORT, HOST, MODEL_FILE and what else the operator sets
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel, StrictFloat, StrictInt

MODEL_FILE = Path(os.environ.get("MODEL_FILE", Path(__file__).with_name("model.joblib")))
MODEL_VERSION = os.environ.get("MODEL_VERSION", "dev")
MODEL_VARIANT = os.environ.get("MODEL_VARIANT", MODEL_VERSION)
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "5"))
TERMINATION_MESSAGE_PATH = os.environ.get("TERMINATION_MESSAGE_PATH")

PREDICTIONS = Counter("ml_predictions", "Predictions.", ["model_version", "prediction"])
LATENCY = Histogram("ml_prediction_latency_seconds", "Seconds of a prediction.", ["model_version"])


class Applicant(BaseModel):
    age: StrictInt
    income: StrictInt | StrictFloat
    credit_score: StrictInt


class Serving:
    """What the process is doing: it listens from the first moment to the last, and says here whether it serves."""

    model: Any = None
    draining = False

    @property
    def status(self) -> str:
        return "draining" if self.draining else "loading" if self.model is None else "ok"


serving = Serving()


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    loading = asyncio.create_task(load())
    yield
    loading.cancel()


app = FastAPI(title="loan", lifespan=lifespan)


async def load() -> None:
    """In a thread, since the health check has to be answered meanwhile. A model that does not load ends the process."""
    try:
        model = await asyncio.to_thread(joblib.load, MODEL_FILE)
        await asyncio.to_thread(model.predict_proba, np.zeros((1, 3)))  # warm, and seen to work
        serving.model = model
    except FileNotFoundError:
        give_up("ArtifactNotFound", f"{MODEL_FILE} is not there: build the image with the model, or set MODEL_FILE")
    except Exception as error:  # whatever a pickle raises
        give_up("InvalidModel", f"loading {MODEL_FILE}: {error!r}; pickle it with the packages of requirements.txt")


def give_up(reason: str, message: str) -> None:
    """The operator shows these words in `kubectl describe mdep`."""
    words = json.dumps({"reason": reason, "message": message, "permanent": True})
    print(words, file=sys.stderr, flush=True)
    if TERMINATION_MESSAGE_PATH:
        Path(TERMINATION_MESSAGE_PATH).write_text(words)
    os._exit(1)


@app.middleware("http")
async def leave_while_draining(request: Request, call_next: Any) -> Response:
    response = await call_next(request)
    if serving.draining:
        response.headers["connection"] = "close"
    return response


@app.get("/health")
async def health() -> JSONResponse:
    body = {"status": serving.status, "model_version": MODEL_VERSION, "model_variant": MODEL_VARIANT}
    return JSONResponse(body, 200 if serving.status == "ok" else 503)


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@app.post("/predict")
def predict(applicant: Applicant, request: Request) -> JSONResponse:
    """Not `async`: FastAPI then runs it in a thread, and a slow prediction does not keep the health check waiting."""
    if serving.model is None:
        return JSONResponse({"detail": "the model is loading"}, 503, {"retry-after": "1"})
    begin = time.perf_counter()
    row = np.array([[applicant.age, applicant.income, applicant.credit_score]], dtype=float)
    shares = dict(zip(serving.model.classes_, map(float, serving.model.predict_proba(row)[0])))
    prediction = max(shares, key=shares.__getitem__)
    LATENCY.labels(MODEL_VERSION).observe(time.perf_counter() - begin)
    PREDICTIONS.labels(MODEL_VERSION, prediction).inc()
    request_id = request.headers.get("x-request-id", str(uuid.uuid4()))
    answer = {
        "prediction": prediction,
        "probability": shares["approved"],
        "probabilities": shares,
        "model_version": MODEL_VERSION,
        "model_variant": MODEL_VARIANT,
        "request_id": request_id,
    }
    return JSONResponse(answer, headers={"x-request-id": request_id})


class Server(uvicorn.Server):
    """Ends as the contract asks for: unready at once, then serves on until clients have left, and only then closes."""

    @contextlib.contextmanager
    def capture_signals(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain, loop)
        yield

    def drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if serving.draining:
            self.should_exit = True  # asked for twice
        serving.draining = True
        loop.call_later(DRAIN_SECONDS, self.close)

    def close(self) -> None:
        self.should_exit = True


if __name__ == "__main__":
    host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))
    Server(uvicorn.Config(app, host=host, port=port, access_log=False, timeout_keep_alive=620)).run()
