"""The rows that a model is saved with: what the framework gets of them, and what a request would carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slipway.errors import InvalidMetadata, UnsupportedSample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FeatureType = Literal["number", "integer", "boolean", "string"]

MAX_ROWS = 10_000
"""More rows than this are not compared: the first ones are."""


@dataclass(frozen=True)
class Column:
    """One feature: its values, and what metadata.json says of it."""

    name: str
    type: FeatureType
    nullable: bool
    values: NDArray[Any]
    """[N]; float64 with NaN for what is missing, int64, bool, or objects that are str or None."""
    declared: Mapping[str, Any]
    """What the person said of it beyond its name."""

    @property
    def missing(self) -> str | float | bool:
        """What is fed for a null."""
        given = self.declared.get("missing")
        return float("nan") if given is None else given

    def feature(self) -> dict[str, Any]:
        """Its entry in metadata.json."""
        described = {"name": self.name, "type": self.type, **({"nullable": True} if self.nullable else {})}
        return described | dict(self.declared)

    def json(self, row: int) -> str | float | int | bool | None:
        """The value as a request has it; None is null."""
        value = self.values[row]
        if self.type == "string":
            return None if value is None else str(value)
        if self.nullable and isinstance(value, float | np.floating) and np.isnan(value):
            return None
        if self.type == "boolean":
            return bool(value)
        return int(value) if self.type == "integer" else float(value)


@dataclass(frozen=True)
class Sample:
    """Rows, N of them."""

    original: Any
    """As the framework takes them."""
    rows: int
    columns: tuple[Column, ...] | None
    """None for tensors, such as images, whose rows have no named fields."""

    def matrix(self, dtype: type[np.generic]) -> NDArray[Any]:
        """[N, F], in the order of the columns."""
        assert self.columns is not None
        return np.column_stack([column.values for column in self.columns]).astype(dtype)

    @property
    def has_text(self) -> bool:
        """Whether some column is of text."""
        return any(column.type == "string" for column in self.columns or ())


def read_sample(sample: Any, features: Sequence[Any] | None, known_names: Sequence[str] | None) -> Sample:
    """Takes a DataFrame, an array [N, F] or of more axes, a tensor, lists of rows, or a dict of arrays by name.

    `features` is what the person's metadata says of them; `known_names` are the model's own, for arrays.
    Raises UnsupportedSample for what a request cannot carry, InvalidMetadata when `features` are others.
    """
    if sample is None:
        raise UnsupportedSample(
            "saving the model: sample is missing; give some rows of what the model predicts from, such as X[:200]: "
            "they say what the features are, and the saved model is compared on them"
        )
    rows = _first_rows(_plain(sample))
    count = _row_count(rows)
    if count == 0:
        raise UnsupportedSample("saving the model: sample has no rows; give some, such as X[:200]")
    if _is_frame(rows):
        parts = {str(name): rows.iloc[:, position] for position, name in enumerate(rows.columns)}
        if len(parts) != rows.shape[1]:
            raise UnsupportedSample(
                f"reading the sample: two columns have the same name; rename one of {list(rows.columns)}"
            )
    elif isinstance(rows, dict):
        if any(value.ndim > 2 or (value.ndim == 2 and value.shape[1] != 1) for value in rows.values()):
            return Sample(rows, count, None)
        parts = {name: value.reshape(count) for name, value in rows.items()}
    elif rows.ndim == 2:
        names = _array_names(rows.shape[1], features, known_names)
        parts = {name: rows[:, position] for position, name in enumerate(names)}
    else:
        return Sample(rows, count, None)
    declared = _declarations(features, list(parts))
    columns = tuple(_column(name, values, declared.get(name, {})) for name, values in parts.items())
    return Sample(rows, count, columns)


def _is_frame(value: Any) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "columns")


def _plain(sample: Any) -> Any:
    """A DataFrame, a dict of arrays, or an array."""
    if _is_frame(sample):
        return sample
    if isinstance(sample, dict):
        return {str(name): _array(value) for name, value in sample.items()}
    if hasattr(sample, "to_pandas"):
        return sample.to_pandas()
    if hasattr(sample, "toarray"):
        raise UnsupportedSample(
            "reading the sample: it is a sparse matrix, which requests do not carry; give sample.toarray()"
        )
    array = _array(sample)
    if array.ndim < 2:
        raise UnsupportedSample(
            f"reading the sample: it has the shape {array.shape}, but rows of features are needed: "
            "a DataFrame, or an array [rows, features]; one row is X[:1], one feature X.reshape(-1, 1)"
        )
    return array


def _array(values: Any) -> NDArray[Any]:
    """Also of a tensor that is on another device, or has gradients."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _row_count(rows: Any) -> int:
    if not isinstance(rows, dict):
        return len(rows)
    counts = {len(value) for value in rows.values()}
    if len(counts) != 1:
        raise UnsupportedSample(f"reading the sample: its arrays have {sorted(counts)} rows; give as many of each")
    return counts.pop()


def _first_rows(rows: Any) -> Any:
    if isinstance(rows, dict):
        return {name: value[:MAX_ROWS] for name, value in rows.items()}
    return rows.iloc[:MAX_ROWS] if _is_frame(rows) else rows[:MAX_ROWS]


def _array_names(width: int, features: Sequence[Any] | None, known_names: Sequence[str] | None) -> list[str]:
    if features is not None:
        names = [_name(feature) for feature in features]
        if len(names) != width:
            raise InvalidMetadata(
                f"saving the model: metadata has {len(names)} features ({', '.join(names)}), but the sample has "
                f"{width} columns; name each column, in order"
            )
        return names
    if known_names is not None and len(known_names) == width:
        return [str(name) for name in known_names]
    return [f"f{position}" for position in range(width)]


def _declarations(features: Sequence[Any] | None, names: list[str]) -> dict[str, dict[str, Any]]:
    if features is None:
        return {}
    declared = {_name(feature): {} if isinstance(feature, str) else dict(feature) for feature in features}
    if sorted(declared) != sorted(names):
        unknown = [name for name in declared if name not in names]
        absent = [name for name in names if name not in declared]
        raise InvalidMetadata(
            f"saving the model: metadata's features and the sample's columns differ: the sample has no {unknown}, "
            f"metadata no {absent}; leave features out of metadata, or name the same"
        )
    for feature in declared.values():
        feature.pop("name", None)
        feature.pop("input", None)  # the graphs made here have their own
    return {
        name: {key: value for key, value in feature.items() if value is not None} for name, feature in declared.items()
    }


def _name(feature: Any) -> str:
    return feature if isinstance(feature, str) else str(feature["name"])


def _column(name: str, values: Any, declared: Mapping[str, Any]) -> Column:
    column = _inferred(name, values, declared)
    wanted = declared.get("type", column.type)
    column = _as_type(column, wanted) if wanted != column.type else column
    if "nullable" in declared or "missing" in declared:
        column = replace(column, nullable=bool(declared.get("nullable", "missing" in declared)))
    _require_feedable(column)
    return column


def _inferred(name: str, values: Any, declared: Mapping[str, Any]) -> Column:
    array = _values(values)
    kind = array.dtype.kind
    if kind == "f":
        array = array.astype(np.float64)
        return Column(name, "number", bool(np.isnan(array).any()), array, declared=declared)
    if kind in "iu":
        if kind == "u" and array.size > 0 and array.max() > np.iinfo(np.int64).max:
            raise UnsupportedSample(
                f"reading the sample: {name} has integers beyond int64; scale them down, or send text"
            )
        return Column(name, "integer", nullable=False, values=array.astype(np.int64), declared=declared)
    if kind == "b":
        return Column(name, "boolean", nullable=False, values=array, declared=declared)
    if kind in "US":
        return Column(name, "string", nullable=False, values=array.astype(str).astype(object), declared=declared)
    if kind == "O":
        return _inferred_objects(name, array, declared)
    raise UnsupportedSample(
        f"reading the sample: {name} is of {array.dtype}, which no request carries; make numbers of it first "
        "(of a date its year, or the seconds since a day), as the model's clients must"
    )


def _inferred_objects(name: str, array: NDArray[Any], declared: Mapping[str, Any]) -> Column:
    is_missing = np.array([_is_missing(value) for value in array], dtype=bool)
    present = array[~is_missing]
    if present.size > 0 and all(isinstance(value, str) for value in present):
        text = array.copy()
        text[is_missing] = None
        return Column(name, "string", nullable=bool(is_missing.any()), values=text, declared=declared)
    if all(isinstance(value, bool | np.bool_) for value in present) and not is_missing.any():
        return Column(name, "boolean", nullable=False, values=present.astype(bool), declared=declared)
    if all(isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating) for value in present):
        if not is_missing.any() and all(isinstance(value, int | np.integer) for value in present):
            return Column(name, "integer", nullable=False, values=present.astype(np.int64), declared=declared)
        numbers = np.array([np.nan if missing else value for value, missing in zip(array, is_missing, strict=True)])
        return Column(
            name, "number", nullable=bool(is_missing.any()), values=numbers.astype(np.float64), declared=declared
        )
    kinds = sorted({type(value).__name__ for value in present})
    raise UnsupportedSample(
        f"reading the sample: {name} has values of {', '.join(kinds)}; a feature is all text, or all numbers: "
        f"convert the column, such as by .astype(str)"
    )


def _values(values: Any) -> NDArray[Any]:
    """Of a pandas column or an array."""
    dtype = getattr(values, "dtype", None)
    if dtype is None or isinstance(dtype, np.dtype):
        return np.asarray(values)
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        return np.asarray(values.astype(object))
    if getattr(dtype, "kind", "O") in "iufb":  # nullable ones: their NA is no number
        return np.asarray(values.astype("float64") if values.isna().any() else values.to_numpy(dtype.numpy_dtype))
    if getattr(dtype, "kind", "O") in "mM":
        return np.asarray(values.dt.tz_localize(None) if hasattr(values, "dt") and dtype.kind == "M" else values)
    return np.asarray(values.astype(object))


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and np.isnan(value))


def _as_type(column: Column, wanted: FeatureType) -> Column:
    values = column.values
    if wanted == "number" and column.type in ("integer", "boolean"):
        return replace(column, type=wanted, values=values.astype(np.float64))
    if wanted in ("integer", "boolean") and column.type in ("number", "integer", "boolean"):
        present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
        whole = present == np.floor(present) if present.dtype.kind == "f" else np.ones(len(present), dtype=bool)
        fits = whole.all() and (wanted == "integer" or np.isin(present, (0, 1)).all())
        if fits:
            full = len(present) == len(values)
            return replace(
                column, type=wanted, values=values.astype(np.int64 if wanted == "integer" else bool) if full else values
            )
    raise InvalidMetadata(
        f"saving the model: metadata says that {column.name} is {wanted}, but the sample's values are of type "
        f"{column.type}; correct the type, or leave it out"
    )


def _require_feedable(column: Column) -> None:
    if column.type == "string":
        absent = np.array([value is None for value in column.values])
        if absent.any() and not isinstance(column.declared.get("missing"), str):
            raise UnsupportedSample(
                f"reading the sample: {column.name} is text and row {int(absent.argmax())} has none: ONNX has no missing text. Fill it "
                f'before training (df["{column.name}"].fillna("missing")), and say {{"name": "{column.name}", "type": '
                '"string", "missing": "missing"} in metadata\'s features'
            )
        return
    if column.values.dtype.kind != "f":
        return
    infinite = np.isinf(column.values)
    if infinite.any():
        raise UnsupportedSample(
            f"reading the sample: {column.name} is infinite in row {int(infinite.argmax())}, which JSON cannot say; "
            "clip or drop such rows"
        )
    if np.isnan(column.values).any() and not column.nullable:
        raise InvalidMetadata(
            f"saving the model: metadata says that {column.name} is not nullable, but the sample's row "
            f"{int(np.isnan(column.values).argmax())} has none"
        )
