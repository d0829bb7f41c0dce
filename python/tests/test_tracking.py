from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from slipway import log_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

_START_SECONDS = 300


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            *stores,
        ],
        start_new_session=True,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not is_up(url):
            assert server.poll() is None, "mlflow server ended"
            assert time.monotonic() < deadline, "mlflow server does not answer"
            time.sleep(0.2)
        mlflow.set_tracking_uri(url)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # its workers too
        server.wait()


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_the_runtime_serves_what_an_alias_of_the_registry_names(
    tracking: str, tmp_path: Any, numbers: pd.DataFrame, two: Any, serve: Any
) -> None:
    scaler = StandardScaler().fit(numbers)
    model = RandomForestClassifier(10, random_state=1).fit(scaler.transform(numbers), two)
    metadata = {
        "target": "approved",
        "classes": ["rejected", "approved"],
        "metrics": {"accuracy": 0.9, "by": {"f1": 0.8}},
    }
    logged = log_model(
        model, metadata, registered_model_name="LoanPredictor", alias="champion", preprocessor=scaler, sample=numbers
    )
    assert logged.uri == "models:/LoanPredictor/1"
    assert mlflow.get_run(logged.run_id).data.metrics == {"accuracy": 0.9, "by.f1": 0.8}
    assert mlflow.active_run() is None

    runtime = serve(
        MODEL_URI="models:/LoanPredictor@champion",
        MLFLOW_TRACKING_URI=tracking,
        MODEL_CACHE_DIR=str(tmp_path / "cache"),
    )
    answers = runtime.predict(numbers[:50].to_dict("records"))
    shares = model.predict_proba(scaler.transform(numbers[:50]))
    for answer, share in zip(answers, shares, strict=True):
        assert list(answer["probabilities"].values()) == pytest.approx(share, abs=1e-6)
    versions = runtime.post("/predict", numbers.iloc[0].to_dict())
    assert versions["model_version"] == "1"


def test_logs_into_the_active_run_and_its_model_without_a_preprocessor_is_mlflows_own_too(
    tracking: str, numbers: pd.DataFrame, two: Any
) -> None:
    model = LogisticRegression(max_iter=1000).fit(StandardScaler().fit_transform(numbers), two)
    with mlflow.start_run() as run:
        logged = log_model(model, sample=StandardScaler().fit_transform(numbers))
        assert mlflow.active_run() is not None
    assert logged.run_id == run.info.run_id
    assert logged.uri == f"runs:/{run.info.run_id}/model"
    assert "onnx" in mlflow.models.get_model_info(logged.uri).flavors
    assert tracking


def test_an_alias_needs_a_registered_model(numbers: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="give registered_model_name"):
        log_model(None, alias="champion", sample=numbers)
