"""What tests of several files share."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

ROOT = Path(__file__).parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
_START_SECONDS = 180


class Runtime:
    """The runtime, serving one model."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(NODE), "runtime/main.ts"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1", "DRAIN_SECONDS": "0", "PROCESSES": "1"}
            | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(_START_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        log = []
        port = None
        for line in self._process.stdout:
            log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            port = entry.get("port", port)
            if entry.get("msg") == "ready":
                break
        else:
            watchdog.cancel()
            pytest.fail(f"the runtime ended:\n{''.join(log)}")
        watchdog.cancel()
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        self.url = f"http://127.0.0.1:{port}"

    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers of /predict."""
        predictions: list[dict[str, Any]] = self.post("/predict", {"instances": rows})["predictions"]
        return predictions

    def post(self, path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            pytest.fail(f"{path} answers {error.code}: {error.read().decode()}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def serve() -> Iterator[Callable[..., Runtime]]:
    """Starts the runtime on a folder, or on what else its environment says."""
    started: list[Runtime] = []

    def start(folder: Path | None = None, **environment: str) -> Runtime:
        started.append(Runtime({**({} if folder is None else {"MODEL_URI": str(folder)}), **environment}))
        return started[-1]

    yield start
    for runtime in started:
        runtime.close()


@pytest.fixture(scope="session")
def customers() -> pd.DataFrame:
    """300 rows of numbers of several sizes, integers, booleans and words, some numbers missing."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, 300),
            "income": np.round(random.gamma(5, 9_000, 300), 2),
            "score": random.normal(0, 1, 300),
            "member": random.random(300) < 0.4,
            "city": random.choice(np.array(["Bern", "Zürich", "東京"], dtype=object), 300),
        }
    )
    frame.loc[:9, "score"] = np.nan
    return frame


@pytest.fixture(scope="session")
def numbers(customers: pd.DataFrame) -> pd.DataFrame:
    """Its numbers, none of them missing."""
    return customers[["age", "income", "score"]].fillna(0.0).astype("float64")


@pytest.fixture(scope="session")
def two(numbers: pd.DataFrame) -> Any:
    """[300], 0 or 1"""
    noise = np.random.default_rng(2).normal(0, 0.5, len(numbers))
    return (numbers["score"] + (numbers["age"] - 45) / 20 + noise > 0).astype(int).to_numpy()


@pytest.fixture(scope="session")
def three(numbers: pd.DataFrame) -> Any:
    """[300], 0, 1 or 2"""
    return np.digitize(numbers["score"] + (numbers["age"] - 45) / 20, [-0.6, 0.6])


@pytest.fixture(scope="session")
def amount(numbers: pd.DataFrame) -> Any:
    """[300], some thousands"""
    noise = np.random.default_rng(3).normal(0, 50, len(numbers))
    return (numbers["income"] / 10 + 20 * numbers["age"] + 300 * numbers["score"] + noise).to_numpy()
