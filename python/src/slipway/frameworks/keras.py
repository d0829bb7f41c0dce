"""Keras models."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from slipway import graph
from slipway.errors import UnsupportedModel, UnsupportedSample
from slipway.frameworks import neural
from slipway.frameworks.original import require
from slipway.frameworks.sklearn import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from slipway.frameworks.original import Original, Task
    from slipway.sample import Sample

_EXPORTERS = {"tensorflow": "tf2onnx", "jax": "tf2onnx", "torch": "onnxscript"}


def read(model: Any, preprocessor: Any, sample: Sample, metadata: Mapping[str, Any]) -> Original:
    """Asks the model, and exports it by Keras itself."""
    import keras

    require(_EXPORTERS.get(keras.backend.backend(), "tf2onnx"), "keras")
    given = _given(model, preprocessor, sample)
    answers = _answers(model, given)
    exported = _exported(model, given)
    return neural.original(
        "Keras",
        model,
        answers,
        exported,
        preprocessor=preprocessor,
        sample=sample,
        metadata=metadata,
        hint=_trained_for(model),
    )


def _given(model: Any, preprocessor: Any, sample: Sample) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """What the model takes: one array, or several by the names of its inputs."""
    inputs = _inputs(model)
    if preprocessor is not None:
        return neural.preprocessed(preprocessor, sample)
    if len(inputs) > 1:
        return {each.name: _input(each, sample, model) for each in inputs}
    if sample.columns is None:
        values = next(iter(sample.original.values())) if isinstance(sample.original, dict) else sample.original
        return np.asarray(values, dtype=inputs[0].dtype if inputs else np.float32)
    if sample.has_text:
        text = ", ".join(column.name for column in sample.columns if column.type == "string")
        raise UnsupportedModel(
            f"saving a {type(model).__name__}: {text} is text, which a Keras model's graph does not take; encode it by a "
            "ColumnTransformer of scikit-learn, train on its output, and give it as preprocessor"
        )
    return sample.matrix(np.dtype(inputs[0].dtype).type if inputs else np.float32)


def _inputs(model: Any) -> list[Any]:
    """Empty for a subclass that was not built by inputs."""
    try:
        return list(model.inputs or [])
    except (AttributeError, ValueError):
        return []


def _input(tensor: Any, sample: Sample, model: Any) -> NDArray[Any]:
    column = next((each for each in sample.columns or () if each.name == tensor.name), None)
    if column is not None and tensor.dtype != "string":
        return column.values.astype(tensor.dtype).reshape(-1, *([1] * (len(tensor.shape) - 1)))
    if isinstance(sample.original, dict) and tensor.name in sample.original and tensor.dtype != "string":
        return np.asarray(sample.original[tensor.name], dtype=tensor.dtype)
    names = ", ".join(each.name for each in _inputs(model))
    raise UnsupportedSample(
        f"saving a {type(model).__name__}: it takes {names}, and the sample has no numbers {tensor.name}; give a dict of "
        "arrays, or a DataFrame with these columns"
    )


def _answers(model: Any, given: Any) -> NDArray[np.float64]:
    try:
        answer = model.predict(given, verbose=0)
    except Exception as error:
        raise UnsupportedSample(
            f"saving a {type(model).__name__}: it does not take the sample: {' '.join(str(error).split())[:500]}; give "
            "what predict takes"
        ) from error
    if not isinstance(answer, np.ndarray):
        raise UnsupportedModel(
            f"saving a {type(model).__name__}: it gives several outputs; save keras.Model(model.inputs, the answer)"
        )
    return answer.astype(np.float64)


def _trained_for(model: Any) -> Task | None:
    """What the loss that the model was compiled with tells."""
    loss = getattr(model, "loss", None)
    name = (
        loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "") or ""
    ).lower()
    if "crossentropy" in name or "hinge" in name:
        return "classification"
    return (
        "regression" if any(word in name for word in ("mean", "mse", "mae", "huber", "log_cosh", "poisson")) else None
    )


def _exported(model: Any, given: Any) -> ModelProto:
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = Path(folder) / "model.onnx"
            with contextlib.redirect_stdout(io.StringIO()):
                if not getattr(model, "_called", True) and not isinstance(given, dict):
                    model(given[:1])  # Keras exports what was called
                model.export(str(file), format="onnx", verbose=False)
            exported = onnx.load(file)
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        raise UnsupportedModel(
            f"converting a {type(model).__name__}: Keras' export refuses it: {text}; use layers that are written in "
            "keras.ops"
        ) from error
    inputs = [each.name for each in exported.graph.input]
    if isinstance(given, dict):
        return graph.renamed(exported, dict(zip(inputs, given, strict=True)))
    return graph.renamed(exported, {inputs[0]: INPUT if given.ndim == 2 else "input"})
