"""The Boosters of XGBoost and LightGBM, which know neither classes nor estimators."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway import graph
from slipway.errors import UnsupportedModel, UnsupportedSample
from slipway.frameworks import sklearn
from slipway.frameworks.original import Attempt, Export, Original, class_names, classified, numbers, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from slipway.sample import Sample

_CLASSIFIERS = {"binary:logistic", "multi:softprob", "binary", "multiclass"}
_REGRESSORS = ("reg:squarederror", "reg:", "count:poisson", "regression", "l1", "l2", "huber", "mae", "mse", "quantile")


def read(model: Any, preprocessor: Any, sample: Sample, metadata: Mapping[str, Any]) -> Original:
    """Asks the Booster. Raises UnsupportedModel for an objective that is neither classes nor numbers."""
    is_xgboost = type(model).__module__.startswith("xgboost")
    framework, extra = ("XGBoost", "xgboost") if is_xgboost else ("LightGBM", "lightgbm")
    require("onnxmltools", extra)
    objective = _objective(model) if is_xgboost else str(model.params.get("objective", ""))
    rows = _rows(preprocessor, sample)
    answers = _answers(model, rows, is_xgboost=is_xgboost)
    described = f"Booster ({framework}, {objective})"
    attempts = [
        Attempt("float32", lambda: _export(model, preprocessor, sample, rows.shape[1], graph.FLOAT)),
        *(
            [
                Attempt(
                    "float64 up to the model", lambda: _export(model, preprocessor, sample, rows.shape[1], graph.DOUBLE)
                )
            ]
            if preprocessor is not None
            else []
        ),
    ]
    if objective in _CLASSIFIERS:
        shares = np.column_stack([1 - answers, answers]) if answers.ndim == 1 else answers
        classes = class_names(range(shares.shape[1]), metadata)
        threshold = (metadata.get("output") or {}).get("threshold")
        return Original(
            framework, described, "classification", classes, classified(shares, None, classes, threshold), attempts
        )
    if objective.startswith(_REGRESSORS):
        return Original(framework, described, "regression", None, numbers(answers), attempts)
    raise UnsupportedModel(
        f"saving a Booster of {framework}: its objective is {objective or 'not known'}; those that can be served are "
        f"{', '.join(sorted(_CLASSIFIERS))} and regression"
    )


def _objective(model: Any) -> str:
    import json

    return str(json.loads(model.save_config())["learner"]["objective"]["name"])


def _rows(preprocessor: Any, sample: Sample) -> NDArray[Any]:
    if sample.columns is None:
        raise UnsupportedSample("saving a Booster: the sample has more than two axes; give rows of features")
    if preprocessor is not None:
        rows = preprocessor.transform(sample.original)
        return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
    if sample.has_text:
        raise UnsupportedModel(
            "saving a Booster: some columns are text, which a graph of trees does not take; encode them by a "
            "ColumnTransformer with OneHotEncoder or OrdinalEncoder, train on its output, and give it as preprocessor"
        )
    return sample.matrix(np.float64)


def _answers(model: Any, rows: NDArray[Any], *, is_xgboost: bool) -> NDArray[np.float64]:
    try:
        if is_xgboost:
            import xgboost

            given = xgboost.DMatrix(rows, feature_names=model.feature_names)
            return np.asarray(model.predict(given), dtype=np.float64)
        return np.asarray(model.predict(rows), dtype=np.float64)
    except Exception as error:
        raise UnsupportedSample(f"saving a Booster: it does not answer the sample: {error}") from error


def _export(model: Any, preprocessor: Any, sample: Sample, width: int, number: int) -> Export:
    if preprocessor is None:
        return Export(_converted(model, width))
    first = sklearn.converted_preprocessor(preprocessor, sample, number)
    before, after = graph.chained(first, lambda _, given: _converted(model, given or width), graph.FLOAT, sklearn.INPUT)
    return Export(after, before)


def _converted(model: Any, width: int) -> ModelProto:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [(sklearn.INPUT, FloatTensorType([None, width]))]
    opset = 15  # the newest that it writes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if type(model).__module__.startswith("xgboost"):
                plain = model.copy()
                plain.feature_names = None  # the converter knows features by position
                converted: ModelProto = onnxmltools.convert_xgboost(
                    plain, "model", initial_types=types, target_opset=opset
                )
            else:
                converted = onnxmltools.convert_lightgbm(
                    model, "model", initial_types=types, target_opset=opset, zipmap=False
                )
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        raise UnsupportedModel(
            f"converting a Booster: onnxmltools refuses it: {text}; use an objective that it knows, and numbers instead of categorical features"
        ) from error
    names = [output.name for output in converted.graph.output]
    if len(names) == 1:
        return graph.renamed(converted, {names[0]: "prediction"})
    # Its labels are those of the largest scores, which the runtime finds itself.
    return graph.renamed(graph.with_outputs(converted, names[1:]), {names[1]: "probabilities"})
