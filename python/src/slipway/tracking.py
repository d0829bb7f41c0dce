"""Models in MLflow's runs and registry, in the form that the runtime loads from there."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from slipway.errors import MissingExtra
from slipway.saving import SavedModel, save_model
from slipway.served import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slipway.comparison import Tolerance

_BESIDE = ("preprocessor.onnx", "metadata.json", "golden.json")


@dataclass(frozen=True)
class LoggedModel:
    """A model in MLflow."""

    uri: str
    """What a ModelDeployment's source names: `models:/NAME/VERSION`, or `runs:/RUN/PATH` when it is not registered."""
    run_id: str
    version: str | None
    """The registry's; None when it is not registered."""
    saved: SavedModel
    """How near it is to the original. Its `sha256` and `path` are of the folder before MLflow added its own files."""


def log_model(
    model: Any,
    metadata: Mapping[str, Any] | None = None,
    *,
    name: str = "model",
    registered_model_name: str | None = None,
    alias: str | None = None,
    preprocessor: Any = None,
    sample: Any = None,
    tolerance: Tolerance | None = None,
) -> LoggedModel:
    """Saves a model as `save_model` does, into the active run of MLflow (or a new one) and its registry.

    - `name`: the artifact's within the run.
    - `registered_model_name`: makes a version of this registered model; `alias` is then moved to it, so that
      `models:/NAME@ALIAS` serves it.
    - the others: as of `save_model`. Numbers in `metadata["metrics"]` become the run's metrics.

    Where is asked of MLflow itself (`mlflow.set_tracking_uri`, `mlflow.start_run`).
    Raises MissingExtra without MLflow, ValueError for an alias of no registered model, and what `save_model` raises;
    nothing is logged then.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra('logging the model: mlflow is not installed; install it by: pip install "slipway[mlflow]"')
    if alias is not None and registered_model_name is None:
        raise ValueError(f"logging the model: the alias {alias} is of a registered model; give registered_model_name")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        saved = save_model(model, folder, metadata, preprocessor=preprocessor, sample=sample, tolerance=tolerance)
        return _logged(saved, folder, name, registered_model_name, alias)


def _logged(saved: SavedModel, folder: Path, name: str, registered: str | None, alias: str | None) -> LoggedModel:
    import mlflow

    started = None if mlflow.active_run() else mlflow.start_run()
    try:
        run = mlflow.active_run()
        mlflow.log_metrics(_metrics(saved.metadata))
        # The model's place in a run is called `name` since MLflow 3, and `artifact_path` before.
        is_named = int(mlflow.__version__.split(".", 1)[0]) > 2
        place = {"artifact_path": None, "name": name} if is_named else {"artifact_path": name}
        info = mlflow.models.Model.log(
            **place, flavor=_Flavor, registered_model_name=registered, folder=folder, metadata=_tags(saved)
        )
    finally:
        if started is not None:
            mlflow.end_run()
    version = getattr(info, "registered_model_version", None)
    if registered is None or version is None:
        return LoggedModel(f"runs:/{run.info.run_id}/{name}", run.info.run_id, None, saved)
    if alias is not None:
        mlflow.MlflowClient().set_registered_model_alias(registered, alias, str(version))
    return LoggedModel(f"models:/{registered}/{version}", run.info.run_id, str(version), saved)


class _Flavor:
    """What MLflow calls to write the model's files: those of its ONNX flavour, with ours beside them."""

    @staticmethod
    def save_model(path: str, mlflow_model: Any, folder: Path, **_: Any) -> None:
        """Called by `mlflow.models.Model.log`."""
        import mlflow.onnx
        import onnxruntime

        mlflow.onnx.save_model(
            onnx.load(folder / MODEL),
            path,
            mlflow_model=mlflow_model,
            # Given, since MLflow would run the model in a process of its own to find them.
            pip_requirements=[f"onnx=={onnx.__version__}", f"onnxruntime=={onnxruntime.__version__}"],
            save_as_external_data=False,
        )
        for file in (folder / beside for beside in _BESIDE):
            if file.exists():
                shutil.copy(file, path)
        if (folder / "preprocessor.onnx").exists():
            # MLflow's own pyfunc would leave the preprocessor out, and answer something else.
            mlflow_model.flavors.pop("python_function", None)
            mlflow_model.save(str(Path(path) / "MLmodel"))


def _metrics(metadata: Mapping[str, Any]) -> dict[str, float]:
    return dict(_numbers(metadata.get("metrics") or {}, ""))


def _numbers(metrics: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in metrics.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)


def _tags(saved: SavedModel) -> dict[str, Any]:
    """What MLflow shows of the model."""
    shown = ("model_type", "version", "task", "target")
    return {key: saved.metadata[key] for key in shown if key in saved.metadata}
