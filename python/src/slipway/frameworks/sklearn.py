"""scikit-learn's estimators and Pipelines, and those of XGBoost and LightGBM that act like them."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway import graph
from slipway.errors import UnsupportedModel, UnsupportedSample
from slipway.frameworks.converters import register_converters
from slipway.frameworks.original import (
    Attempt,
    Export,
    Original,
    class_names,
    classified,
    numbers,
    plain_label,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from onnx import ModelProto

    from slipway.frameworks.original import Task
    from slipway.sample import Sample
    from slipway.served import Answers

INPUT = "features"
"""The name of the graph's input when it is one matrix."""

_FRAMEWORKS = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")

_WAYS_OUT = {
    "FunctionTransformer": "a Python function is no part of a graph: replace the step by one of scikit-learn's "
    "transformers, or compute it before the sample and let clients do the same",
    "TargetEncoder": "use OrdinalEncoder or OneHotEncoder, or encode before the sample",
    "KNNImputer": "use SimpleImputer",
    "IterativeImputer": "use SimpleImputer",
}
_ANOTHER_WAY = (
    "replace it by one of https://onnx.ai/sklearn-onnx/supported.html, compute it before the sample and let clients do "
    "the same, or register a converter by skl2onnx.update_registered_converter"
)


def feature_names(model: Any) -> list[str] | None:
    """Those that the model was trained with, for samples without names."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def read(model: Any, preprocessor: Any, sample: Sample, metadata: Mapping[str, Any]) -> Original:
    """Asks the model, and finds the ways to convert it. Raises UnsupportedModel, UnsupportedSample, InvalidMetadata."""
    require("skl2onnx", "sklearn")
    if type(model).__name__ in _SEARCHES:
        model = model.best_estimator_
    for _, step in _leaves(model, ""):
        package = type(step).__module__.split(".", 1)[0]
        if package in ("xgboost", "lightgbm"):
            require("onnxmltools", package)
    register_converters()
    if sample.columns is None:
        raise UnsupportedSample(
            "saving the model: the sample has more than two axes, which no scikit-learn model takes; give rows of features"
        )
    rows = _asked(lambda: sample.original if preprocessor is None else preprocessor.transform(sample.original), model)
    task = _task(model)
    attempts = _attempts(model, preprocessor, sample, has_shares=hasattr(model, "predict_proba"), task=task)
    answers, classes = _answers(model, rows, metadata) if task == "classification" else _numbers(model, rows)
    framework = _FRAMEWORKS.get(type(model).__module__.split(".", 1)[0], "scikit-learn")
    return Original(framework, _model_type(model), task, classes, answers, attempts)


def _numbers(model: Any, rows: Any) -> tuple[Answers, None]:
    return numbers(_asked(lambda: model.predict(rows), model)), None


def _answers(model: Any, rows: Any, metadata: Mapping[str, Any]) -> tuple[Answers, list[Any]]:
    labels = np.asarray(_asked(lambda: model.predict(rows), model))
    own = list(model.classes_)
    if labels.ndim > 1 or isinstance(own[0], list | np.ndarray):
        raise UnsupportedModel(
            f"saving {type(model).__name__}: it predicts {labels.shape[-1]} labels for a row; save a model for each label"
        )
    classes = class_names(own, metadata)
    named = dict(zip(map(plain_label, own), classes, strict=True))
    shares = None
    if hasattr(model, "predict_proba"):
        shares = _asked(lambda: np.asarray(model.predict_proba(rows), dtype=np.float64), model)
    threshold = (metadata.get("output") or {}).get("threshold")
    return classified(shares, [named[plain_label(label)] for label in labels], classes, threshold), classes


def _asked(ask: Callable[[], Any], model: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X (does not have|has) ")
            return ask()
    except Exception as error:
        raise UnsupportedSample(
            f"saving {type(model).__name__}: it does not answer the sample: {type(error).__name__}: {error}; "
            "give rows as those that it was trained on"
        ) from error


def _task(model: Any) -> Task:
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(model):
        return "classification"
    if is_regressor(model):
        return "regression"
    kind = type(_steps(model)[-1][1]).__name__
    raise UnsupportedModel(
        f"saving {kind}: it is no classifier and no regressor, so there is no prediction to serve; "
        "a transformer goes into a Pipeline with one, or is the preprocessor of one"
    )


def _model_type(model: Any) -> str:
    steps = _steps(model)
    if len(steps) == 1:
        return type(steps[0][1]).__name__
    return f"Pipeline({', '.join(type(step).__name__ for _, step in steps)})"


def _steps(model: Any) -> list[tuple[str, Any]]:
    steps = getattr(model, "steps", None)
    if steps is None:
        return [("", model)]
    return [(name, step) for name, step in steps if step is not None and not isinstance(step, str)]


def converted_preprocessor(preprocessor: Any, sample: Sample, number: int) -> ModelProto:
    """As a graph that computes in `number`. Raises UnsupportedModel."""
    require("skl2onnx", "sklearn")
    register_converters()
    return _converted(preprocessor, _initial_types(preprocessor, sample, number, exact_integers=False), None)


def _attempts(model: Any, preprocessor: Any, sample: Sample, *, has_shares: bool, task: str) -> list[Attempt]:
    """Single precision is what the runtime is fastest in; trees compare in it what scikit-learn gives them in it."""

    def attempt(precision: str, number: int, *, cast: bool = False, exact_integers: bool = False) -> Attempt:
        def export() -> Export:
            types = _initial_types(preprocessor or model, sample, number, exact_integers=exact_integers)
            converted = _cast_before_last(model) if cast and preprocessor is None else model
            if preprocessor is None:
                return Export(_finished(_converted(converted, types, task), task, has_shares=has_shares))
            first = _converted(preprocessor, types, None)
            element = graph.FLOAT if cast else number

            def then(element: int, width: int) -> ModelProto:
                return _converted(model, [(INPUT, _tensor_type(element, width))], task)

            before, after = graph.chained(first, then, element, INPUT)
            return Export(_finished(after, task, has_shares=has_shares), before)

        return Attempt(precision, export)

    has_integers = any(column.type in ("integer", "boolean") for column in sample.columns or ())
    steps_before = preprocessor is not None or len(_steps(model)) > 1
    attempts = [attempt("float32", graph.FLOAT)]
    if steps_before:
        attempts.append(attempt("float64 up to the model", graph.DOUBLE, cast=True))
    attempts.append(attempt("float64", graph.DOUBLE))
    if has_integers and _by_column(preprocessor or model, sample):
        attempts.append(attempt("float32, integers as int64", graph.FLOAT, exact_integers=True))
    return attempts


def _cast_before_last(model: Any) -> Any:
    """The Pipeline with a cast to float32 before its last step: scikit-learn's trees make one themselves."""
    from skl2onnx.sklapi import CastTransformer
    from sklearn.pipeline import Pipeline

    *before, last = model.steps
    return Pipeline([*before, ("slipway_cast", CastTransformer(dtype=np.float32).fit(np.zeros((1, 1)))), last])


def _by_column(estimator: Any, sample: Sample) -> bool:
    """Whether the graph gets an input for each column, or one matrix."""
    first = _first(estimator)
    text = [column.type == "string" for column in sample.columns or ()]
    mixed = any(text) and not all(text)
    return mixed or (hasattr(first, "transformers") and hasattr(sample.original, "columns"))


def _first(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return _first(steps[0][1]) if steps else estimator


def _initial_types(estimator: Any, sample: Sample, number: int, *, exact_integers: bool) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    columns = sample.columns or ()
    if not _by_column(estimator, sample):
        if sample.has_text:
            return [(INPUT, StringTensorType([None, len(columns)]))]
        return [(INPUT, _tensor_type(number, len(columns)))]

    def type_of(column: Any) -> Any:
        if column.type == "string":
            return StringTensorType([None, 1])
        whole = exact_integers and column.type in ("integer", "boolean") and not column.nullable
        return Int64TensorType([None, 1]) if whole else _tensor_type(number, 1)

    return [(column.name, type_of(column)) for column in columns]


def _tensor_type(element: int, width: int) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return (DoubleTensorType if element == graph.DOUBLE else FloatTensorType)([None, width or None])


def _converted(estimator: Any, types: Sequence[tuple[str, Any]], task: str | None) -> ModelProto:
    """Raises UnsupportedModel that names the step which cannot be converted."""
    estimator = _convertible(estimator)
    try:
        try:
            return _convert(estimator, types, {"zipmap": False} if task == "classification" else None)
        except Exception as error:
            if "'zipmap'" not in str(error):
                raise
            return _convert(estimator, types, None)  # some classifiers have no such option, and no maps either
    except Exception as error:
        raise UnsupportedModel(_refusal(estimator, types, error)) from error


def _convert(estimator: Any, types: Sequence[tuple[str, Any]], options: dict[str, Any] | None) -> ModelProto:
    import skl2onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: ModelProto = skl2onnx.convert_sklearn(
            estimator,
            name="model",  # else a random one
            initial_types=list(types),
            options=None if options is None else {id(estimator): options},
            target_opset=graph.opsets(skl2onnx.__max_supported_opset__),
        )
    return model


def _convertible(estimator: Any) -> Any:
    """The same model, without an option that the converter refuses although it concerns `transform` alone."""
    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if steps else estimator
    if type(last).__name__ != "VotingClassifier":
        return estimator
    plain = copy.copy(last)
    plain.flatten_transform = False
    return type(estimator)([*steps[:-1], (steps[-1][0], plain)]) if steps else plain


def _finished(model: ModelProto, task: str | None, *, has_shares: bool) -> ModelProto:
    """With outputs named `label` and `probabilities`, or `prediction`."""
    graph.declare_floats(model)
    names = [output.name for output in model.graph.output]
    if task == "regression":
        return graph.renamed(model, {names[0]: "prediction"})
    if not has_shares:  # the second output are margins, which are no probabilities
        return graph.renamed(graph.with_outputs(model, names[:1]), {names[0]: "label"})
    return graph.renamed(model, dict(zip(names, ("label", "probabilities"), strict=True)))


def _refusal(estimator: Any, types: Sequence[tuple[str, Any]], error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    for path, step in _leaves(estimator, ""):
        if not _is_known(step):
            return (
                f"converting {type(estimator).__name__}: {path or 'the model'} ({_qualified(step)}) has no ONNX form: "
                f"{_WAYS_OUT.get(type(step).__name__, _ANOTHER_WAY)}"
            )
    path, step = _failing(estimator, types)
    return (
        f"converting {type(estimator).__name__}: {path or 'the model'} ({_qualified(step)}) cannot be converted with "
        f"these columns and options: {text}; {_WAYS_OUT.get(type(step).__name__, _ANOTHER_WAY)}"
    )


def _leaves(estimator: Any, path: str) -> list[tuple[str, Any]]:
    """All estimators within, with the names of the steps that lead to each."""
    inner = getattr(estimator, "steps", None) or [
        each[:2]
        for each in getattr(estimator, "transformers_", None) or getattr(estimator, "transformer_list", None) or []
    ]
    if not inner:
        return [(path, estimator)]
    found = []
    for name, step in inner:
        if step is not None and not isinstance(step, str):
            found += _leaves(step, f"{path} > {name}" if path else f"step {name}")
    return found


def _is_known(step: Any) -> bool:
    from skl2onnx._supported_operators import sklearn_operator_name_map

    if type(step).__name__ == "FunctionTransformer":
        return step.func is None
    return type(step) in sklearn_operator_name_map


def _failing(estimator: Any, types: Sequence[tuple[str, Any]]) -> tuple[str, Any]:
    """The first step of a Pipeline up to which it cannot be converted."""
    steps = _steps(estimator)
    for count in range(1, len(steps)):
        try:
            _convert(estimator[:count], types, None)
        except Exception:  # noqa: BLE001 - which step it is that fails is all that is asked
            return f"step {steps[count - 1][0]}", steps[count - 1][1]
    name, step = steps[-1]
    return (f"step {name}" if name else ""), step


def _qualified(step: Any) -> str:
    return f"{type(step).__module__.split('._', 1)[0]}.{type(step).__qualname__}"
