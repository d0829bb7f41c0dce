"""What skl2onnx lacks: the estimators of XGBoost and LightGBM, which onnxmltools converts, and some of double precision."""

from __future__ import annotations

import copy
import importlib.util
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable

_CLASSIFIER_OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
_ALL_OPTIONS = {**_CLASSIFIER_OPTIONS, "raw_scores": [True, False], "output_class_labels": [False, True]}
_REAL_ATTRIBUTES = ("nodes_values", "nodes_hitrates", "base_values", "class_weights", "target_weights")


def register_converters() -> None:
    """Of those packages that are in use, and whose converter is installed."""
    _register_histograms()
    _register_imputer()
    _register_linear_machine()
    if importlib.util.find_spec("onnxmltools") is None:
        return
    if "xgboost" in sys.modules:
        _register_xgboost()
    if "lightgbm" in sys.modules:
        _register_lightgbm()


@cache
def _register_histograms() -> None:
    """skl2onnx's own converter gives numpy's booleans as integers, which protobuf takes no longer."""
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    for model in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
        name = f"Sklearn{model.__name__}"
        options = _ALL_OPTIONS if model is HistGradientBoostingClassifier else None
        _update(model, name, get_shape_calculator(name), _with_plain_integers(get_converter(name)), options)


@cache
def _register_imputer() -> None:
    """ONNX Runtime has no Imputer for double."""
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.impute import SimpleImputer

    original = get_converter("SklearnSimpleImputer")

    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.operator_converters.common import concatenate_variables

        imputer = operator.raw_operator
        values = np.asarray(imputer.statistics_)
        is_double = type(operator.inputs[0].type).__name__ == "DoubleTensorType"
        if not is_double or not _is_nan(imputer.missing_values) or values.dtype.kind != "f" or np.isnan(values).any():
            original(scope, operator, container)
            return
        names = {part: scope.get_unique_variable_name(f"imputer_{part}") for part in ("missing", "values")}
        given = concatenate_variables(scope, operator.inputs, container)
        container.add_initializer(names["values"], TensorProto.DOUBLE, [1, values.size], values)
        container.add_node("IsNaN", [given], [names["missing"]], name=scope.get_unique_operator_name("IsNaN"))
        filled = [operator.outputs[0].full_name]
        name = scope.get_unique_operator_name("Where")
        container.add_node("Where", [names["missing"], names["values"], given], filled, name=name)

    _update(SimpleImputer, "SklearnSimpleImputer", get_shape_calculator("SklearnSimpleImputer"), convert, None)


@cache
def _register_linear_machine() -> None:
    """In a Pipeline it is asked for an option that skl2onnx does not know of it."""
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.svm import LinearSVC

    name = "SklearnLinearSVC"
    original = get_converter(name)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, container)

    _update(LinearSVC, name, get_shape_calculator(name), convert, _ALL_OPTIONS)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _with_plain_integers(original: Callable[..., None]) -> Callable[..., None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, _PlainIntegers(container))

    return convert


@cache
def _register_xgboost() -> None:
    import xgboost
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        operator.raw_operator = _without_names(model)
        convert_xgboost(scope, operator, container)
        operator.raw_operator = model

    for name in ("XGBClassifier", "XGBRFClassifier"):
        _register(getattr(xgboost, name), f"XGBoost{name}", convert, is_classifier=True)
    for name in ("XGBRegressor", "XGBRFRegressor"):
        _register(getattr(xgboost, name), f"XGBoost{name}", convert, is_classifier=False)


@cache
def _register_lightgbm() -> None:
    import lightgbm
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    def convert(scope: Any, operator: Any, container: Any) -> None:
        is_double = type(operator.inputs[0].type).__name__ == "DoubleTensorType"
        convert_lightgbm(scope, operator, _DoubleTrees(container) if is_double else container)

    _register(lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", convert, is_classifier=True)
    _register(lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", convert, is_classifier=False)


def _register(model: type, name: str, convert: Callable[..., None], *, is_classifier: bool) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    def shapes(operator: Any) -> None:
        rows = operator.inputs[0].get_first_dimension()
        if not is_classifier:
            operator.outputs[0].type = FloatTensorType([rows, 1])
            return
        classes = operator.raw_operator.classes_
        is_text = np.asarray(classes).dtype.kind in "OUS"
        operator.outputs[0].type = (StringTensorType if is_text else Int64TensorType)([rows])
        operator.outputs[1].type = FloatTensorType([rows, len(classes)])  # whatever the input: so the operator says

    options = _CLASSIFIER_OPTIONS if is_classifier else {"split": None}
    _update(model, name, shapes, convert, options)


def _update(
    model: type, name: str, shapes: Callable[..., None], convert: Callable[..., None], options: dict[str, Any] | None
) -> None:
    from skl2onnx import update_registered_converter

    update_registered_converter(model, name, shapes, convert, options=options)


def _without_names(model: Any) -> Any:
    """A shallow copy whose trees know their features by position: the converter reads no names."""
    booster = model.get_booster()
    if booster.feature_names is None:
        return model
    plain = copy.copy(model)
    plain._Booster = booster.copy()  # noqa: SLF001 - there is no other way to give it another booster
    plain._Booster.feature_names = None  # noqa: SLF001
    return plain


class _Container:
    """A container of skl2onnx, some of whose nodes get other attributes."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        """As the container's own."""
        if op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
            attributes = self._tree_attributes(attributes)
        self._container.add_node(op_type, inputs, outputs, **attributes)

    def _tree_attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class _PlainIntegers(_Container):
    def _tree_attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        name = "nodes_missing_value_tracks_true"
        return attributes | {name: [int(each) for each in attributes[name]]} if name in attributes else attributes


class _DoubleTrees(_Container):
    """Thresholds and weights in double, as LightGBM has them."""

    def _tree_attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        exact: dict[str, Any] = {"op_version": 3}
        for name, values in attributes.items():
            if name in _REAL_ATTRIBUTES:
                if values is not None:
                    array = np.asarray(values, dtype=np.float64)
                    exact[f"{name}_as_tensor"] = helper.make_tensor(name, TensorProto.DOUBLE, array.shape, array)
            elif name != "op_version":
                exact[name] = values
        return exact
