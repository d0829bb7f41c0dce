"""From a trained model to the folder that the runtime serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway import graph
from slipway.comparison import Comparison, Tolerance, compare
from slipway.digest import digest
from slipway.errors import ConversionMismatch, InvalidMetadata, InvalidModelFolder, SlipwayError, UnsupportedModel
from slipway.folder import require_free, written_whole
from slipway.frameworks import feature_names, read_original
from slipway.metadata import plain_json, require_valid, write_json
from slipway.sample import Sample, read_sample
from slipway.served import MODEL, PREPROCESSOR, ServedModel

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from slipway.frameworks.original import Attempt, Original

GOLDEN_ROWS = 20

_ORDER = ("model_type", "version", "task", "features", "target", "classes", "output", "metrics", "created_at")
_SHOWN_ROWS = 3


@dataclass(frozen=True)
class SavedModel:
    """What was saved, and how near it is to the original."""

    path: Path
    sha256: str
    """The folder's, as `digest` computes it and a ModelDeployment pins it."""
    metadata: dict[str, Any]
    framework: str
    precision: str
    """What the graphs compute in: `float32`, or what it took for the rows to agree."""
    rows: int
    """How many were compared."""
    largest_difference: float
    """Of a probability; of other numbers relative to those beyond 1."""
    ties: list[int]
    """Rows whose best probabilities tie, so that ONNX Runtime and the original may choose different labels."""

    def __str__(self) -> str:
        tied = f"; the labels of {len(self.ties)} rows tie" if self.ties else ""
        return (
            f"{self.path}: {self.metadata['model_type']} in {self.precision}; {self.rows} rows agree with "
            f"{self.framework}, at most {self.largest_difference:.1e} apart{tied}; sha256 {self.sha256}"
        )


def save_model(
    model: Any,
    path: str | os.PathLike[str],
    metadata: Mapping[str, Any] | None = None,
    *,
    preprocessor: Any = None,
    sample: Any = None,
    tolerance: Tolerance | None = None,
) -> SavedModel:
    """Saves a trained model as a folder that the runtime serves, and proves on `sample` that it answers the same.

    - `model`: an estimator or Pipeline of scikit-learn, a Keras model, a PyTorch module, or a model of XGBoost or LightGBM
      (of their scikit-learn interface, or a Booster).
    - `path`: the folder. A model that is there is replaced in one step.
    - `metadata`: what metadata.json shall say; `features`, `classes`, `task`, `model_type` and `created_at` are filled in
      where they are absent. Names in `classes` may stand for a model's 0, 1, …. A PyTorch module needs `task`, and
      `classes` where the labels are not 0, 1, ….
    - `preprocessor`: a fitted transformer of scikit-learn whose output the model takes; it becomes preprocessor.onnx.
    - `sample`: what the model (or the preprocessor) takes: a DataFrame or an array [rows, features]; for neural networks
      also arrays of more axes, or a dict of arrays by input. At most 10,000 rows are compared, and the first 20 become
      golden.json, with the original framework's answers.
    - `tolerance`: how far numbers may be off; by default as in golden.json.

    Returns what was saved, and the largest difference.

    Raises UnsupportedModel (no ONNX form; names the step), UnsupportedSample (rows that no request could carry),
    InvalidMetadata (wrong or contradicting fields), ConversionMismatch (rows that differ, also in double precision),
    FolderInUse (`path` holds something else), MissingExtra (a package is not installed). After an error `path` is as
    it was.
    """
    place = require_free(path)
    given = plain_json(dict(metadata or {}))
    require_valid(given, "metadata", "the metadata given to save_model")
    given = {key: value for key, value in given.items() if value is not None}
    rows = read_sample(
        sample, given.get("features"), feature_names(preprocessor if preprocessor is not None else model)
    )
    original = read_original(model, preprocessor, rows, given)
    completed = _completed(given, original, rows)
    allowed = tolerance or Tolerance()
    with written_whole(place) as folder:
        write_json(folder / "metadata.json", completed)
        attempt, comparison = _converted(original, rows, folder, allowed)
        _write_golden(folder, original, rows, comparison, allowed)
        sha256 = digest(folder)
    return SavedModel(
        path=place,
        sha256=sha256,
        metadata=completed,
        framework=original.framework,
        precision=attempt.precision,
        rows=comparison.rows,
        largest_difference=comparison.largest_difference,
        ties=comparison.ties,
    )


def _completed(given: Mapping[str, Any], original: Original, sample: Sample) -> dict[str, Any]:
    task = given.get("task", original.task)
    if original.task[:7] not in str(task).lower():
        raise InvalidMetadata(
            f"saving the model: metadata says that the task is {task}, but a {original.model_type} is for "
            f"{original.task}; correct the task, or leave it out"
        )
    output = {**given.get("output", {}), **original.output}
    if original.task == "regression":
        output = {key: value for key, value in output.items() if key == "tensor"}
    filled = {
        "model_type": original.model_type,
        "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        **given,
        "task": task,
        **({"features": [column.feature() for column in sample.columns]} if sample.columns is not None else {}),
        **({"classes": original.classes} if original.classes is not None else {}),
        **({"output": output} if output else {}),
    }
    if sample.columns is None and "features" in filled:
        raise InvalidMetadata(
            "saving the model: metadata has features, but the sample is a tensor without named columns"
        )
    if not output:
        filled.pop("output", None)
    ordered = {key: filled[key] for key in (*_ORDER, *filled) if key in filled}
    require_valid(ordered, "metadata", "the completed metadata.json")
    return ordered


def _converted(original: Original, sample: Sample, folder: Path, tolerance: Tolerance) -> tuple[Attempt, Comparison]:
    """Writes the first conversion whose answers agree. Raises UnsupportedModel, ConversionMismatch."""
    refusal: SlipwayError | None = None
    compared: list[tuple[Attempt, Comparison]] = []
    for attempt in original.attempts:
        try:
            comparison = _tried(attempt, original, sample, folder, tolerance)
        except (UnsupportedModel, InvalidModelFolder) as error:
            refusal = refusal or error
            continue
        if not comparison.mismatches:
            return attempt, comparison
        compared.append((attempt, comparison))
    if compared:
        raise _mismatch(original, compared, tolerance)
    assert refusal is not None
    if isinstance(refusal, InvalidModelFolder):
        raise UnsupportedModel(
            f"saving a {original.model_type}: it was converted, but the graph does not run: {refusal}; "
            "another version of the converter may help"
        ) from refusal
    raise refusal


def _tried(attempt: Attempt, original: Original, sample: Sample, folder: Path, tolerance: Tolerance) -> Comparison:
    for file in folder.glob("*.onnx*"):
        file.unlink()
    export = attempt.export()
    graph.write(export.model, folder / MODEL)
    if export.preprocessor is not None:
        graph.write(export.preprocessor, folder / PREPROCESSOR)
    served = ServedModel(folder)
    try:
        answers = served.answers(_feeds(served, sample))
    except SlipwayError:
        raise
    except Exception as error:
        raise InvalidModelFolder(f"running {attempt.precision}: {' '.join(str(error).split())[:500]}") from error
    return compare(original.answers, answers, tolerance)


def _feeds(served: ServedModel, sample: Sample) -> dict[str, NDArray[Any]]:
    if sample.columns is not None:
        return served.feeds({column.name: column.values for column in sample.columns})
    arrays = sample.original if isinstance(sample.original, dict) else {served.inputs[0].name: sample.original}
    return {each.name: np.asarray(arrays[each.name], dtype=served.element(each)) for each in served.inputs}


def _write_golden(
    folder: Path, original: Original, sample: Sample, comparison: Comparison, tolerance: Tolerance
) -> None:
    chosen = [row for row in range(sample.rows) if row not in set(comparison.ties)][:GOLDEN_ROWS]
    if not chosen:
        return
    served = ServedModel(folder)
    feeds = {} if sample.columns is not None else _feeds(served, sample)

    def input_of(row: int) -> dict[str, Any]:
        if sample.columns is not None:
            return {column.name: column.json(row) for column in sample.columns}
        return {name: values[row].tolist() for name, values in feeds.items()}

    golden: dict[str, Any] = {} if tolerance == Tolerance() else {"tolerance": vars(tolerance)}
    golden["rows"] = [{"input": input_of(row), "output": plain_json(original.answers.json(row))} for row in chosen]
    require_valid(golden, "golden", "golden.json")
    write_json(folder / "golden.json", golden)


def _mismatch(
    original: Original, compared: list[tuple[Attempt, Comparison]], tolerance: Tolerance
) -> ConversionMismatch:
    attempt, best = min(compared, key=lambda each: len(each[1].mismatches))
    shown = "; ".join(
        f"row {each.row}: expected {each.expected}, got {each.actual}, {each.difference:.2g} apart"
        for each in best.mismatches[:_SHOWN_ROWS]
    )
    tried = ", ".join(each.precision for each, _ in compared)
    return ConversionMismatch(
        f"saving a {original.model_type}: ONNX Runtime and {original.framework} differ in {len(best.mismatches)} of "
        f"{best.rows} rows by up to {best.mismatches[0].difference:.2g}, in {attempt.precision} (tried: {tried}): {shown}. "
        f"If so much does not matter, allow it by tolerance=Tolerance(absolute=…) (now {tolerance.absolute:g}, and "
        f"{tolerance.relative:g} of the value); else train on features rounded as float32, or without the step that differs",
        best.mismatches,
    )
