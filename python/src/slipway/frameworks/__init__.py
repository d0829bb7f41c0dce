"""Which framework a model is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.errors import UnsupportedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slipway.frameworks.original import Original
    from slipway.sample import Sample

_WAYS_OUT = {
    "catboost": 'catboost writes ONNX itself: model.save_model("model.onnx", format="onnx")',
    "statsmodels": "train it by scikit-learn",
    "tf_keras": "train it by Keras 3 (import keras)",
    "tensorflow": "save a keras.Model, or convert a SavedModel by python -m tf2onnx.convert --saved-model FOLDER --output model.onnx",
    "transformers": "optimum-cli export onnx --model FOLDER onnx/",
    "onnx": "it is ONNX already: write it to model.onnx, with a metadata.json beside it",
}


def feature_names(model: Any) -> list[str] | None:
    """Those that a model was trained with, for samples that have none; None where it knows none."""
    names = getattr(model, "feature_names_in_", None)
    if names is None and _is_booster(model):
        names = model.feature_name() if callable(getattr(model, "feature_name", None)) else model.feature_names
    return None if names is None else [str(name) for name in names]


def read_original(model: Any, preprocessor: Any, sample: Sample, metadata: Mapping[str, Any]) -> Original:
    """Raises UnsupportedModel for what is of no framework that can be converted."""
    packages = {each.__module__.split(".", 1)[0] for each in type(model).__mro__}
    if preprocessor is not None and not hasattr(preprocessor, "transform"):
        raise UnsupportedModel(
            f"saving the preprocessor: a {type(preprocessor).__name__} cannot be converted; give a fitted transformer of "
            "scikit-learn, or a Pipeline of some"
        )
    if _is_booster(model):
        from slipway.frameworks.boosters import read

        return read(model, preprocessor, sample, metadata)
    if "keras" in packages:
        from slipway.frameworks.keras import read

        return read(model, preprocessor, sample, metadata)
    if "torch" in packages:
        from slipway.frameworks.torch import read

        return read(model, preprocessor, sample, metadata)
    if "sklearn" in packages:
        from slipway.frameworks.sklearn import read

        return read(model, preprocessor, sample, metadata)
    raise UnsupportedModel(_refusal(model, packages))


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster" and type(model).__module__.split(".", 1)[0] in ("xgboost", "lightgbm")


def _refusal(model: Any, packages: set[str]) -> str:
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        return f"saving {model}: this is a path; load the model first (joblib.load, keras.saving.load_model, torch.load, …) and give it"
    way_out = next((text for package, text in _WAYS_OUT.items() if package in packages), None)
    known = "give an estimator or Pipeline of scikit-learn, a Keras model, a PyTorch module, or a model of XGBoost or LightGBM"
    return f"saving {kind}: it is of no framework that save_model converts; {way_out or known}"
