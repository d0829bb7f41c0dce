"""A model's folder as the runtime serves it: features into graphs, outputs into answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from slipway.errors import InvalidModelFolder
from slipway.metadata import load_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MODEL = "model.onnx"
PREPROCESSOR = "preprocessor.onnx"

_ELEMENTS: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
} | {f"tensor({sign}int{bits})": np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)}
_BATCH_ROWS = 1_000


@dataclass(frozen=True)
class Answers:
    """Of N rows."""

    predictions: list[Any]
    """A label, a number, nested lists of numbers, or the outputs by name each."""
    probabilities: NDArray[np.float64] | None
    """[N, K], in the order of `classes`; None for what is no classifier, or has labels alone."""
    classes: list[Any] | None
    """The labels, where they are known."""

    def json(self, row: int) -> dict[str, Any]:
        """As golden.json and /predict have it."""
        answer: dict[str, Any] = {"prediction": self.predictions[row]}
        if self.probabilities is not None:
            shares = [float(share) for share in self.probabilities[row]]
            named = self.classes is not None
            answer["probabilities"] = (
                dict(zip(map(key_of, self.classes or []), shares, strict=True)) if named else shares
            )
        return answer

    def probability(self, row: int) -> float | None:
        """Of the second class when there are two, else of the predicted one; None for what has no probabilities."""
        if self.probabilities is None:
            return None
        shares = self.probabilities[row]
        if len(shares) == 2:
            return float(shares[1])
        label = self.predictions[row]
        classes = list(range(len(shares))) if self.classes is None else self.classes
        return float(shares[classes.index(label)]) if label in classes else None


class ServedModel:
    """The graphs of a folder, open."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidModelFolder when there is no model.onnx, a graph does not open, or metadata.json is wrong."""
        self._folder = folder
        self._metadata = load_metadata(folder)
        self._model = _session(folder / MODEL)
        has_preprocessor = (folder / PREPROCESSOR).exists()
        self._preprocessor = _session(folder / PREPROCESSOR) if has_preprocessor else None
        self.inputs = (self._preprocessor or self._model).get_inputs()
        self.features = self._resolved_features()

    def feeds(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The graph's inputs from the columns of features, [N] each; None among objects is what is missing."""
        if self.features is None:
            raise InvalidModelFolder(f"running {self._folder}: the model takes tensors, which have no named features")
        parts: dict[str, list[NDArray[Any]]] = {each.name: [] for each in self.inputs}
        for feature, name in self.features:
            spec = next(each for each in self.inputs if each.name == name)
            parts[name].append(_elements(columns[feature["name"]], feature, _ELEMENTS[spec.type]))
        return {
            each.name: parts[each.name][0] if len(each.shape) == 1 else np.column_stack(parts[each.name])
            for each in self.inputs
        }

    @staticmethod
    def element(spec: Any) -> type[np.generic]:
        """What the elements of a graph's input are."""
        return _ELEMENTS[spec.type]

    def answers(self, feeds: Mapping[str, NDArray[Any]]) -> Answers:
        """What /predict answers to these inputs, of N rows each."""
        rows = len(next(iter(feeds.values())))
        runs = [self._run(feeds, start, rows) for start in range(0, rows, self._batch())]
        names = [each.name for each in self._model.get_outputs()]
        outputs = {name: np.concatenate([np.asarray(run[index]) for run in runs]) for index, name in enumerate(names)}
        return self._read(outputs, rows)

    def _batch(self) -> int:
        fixed = self.inputs[0].shape[0] if self.inputs[0].shape else None
        return fixed if isinstance(fixed, int) and fixed > 0 else _BATCH_ROWS

    def _run(self, feeds: Mapping[str, NDArray[Any]], start: int, rows: int) -> list[Any]:
        size = self._batch()
        end = min(start + size, rows)
        part = {name: values[start:end] for name, values in feeds.items()}
        fixed = size != _BATCH_ROWS and end - start < size
        if fixed:
            part = {
                name: np.concatenate([values, *[values[-1:]] * (size - len(values))]) for name, values in part.items()
            }
        if self._preprocessor is not None:
            outputs = [each.name for each in self._preprocessor.get_outputs()]
            between = dict(zip(outputs, self._preprocessor.run(outputs, part), strict=True))
            wanted = [each.name for each in self._model.get_inputs()]
            part = between if set(wanted) <= set(between) else {wanted[0]: between[outputs[0]]}
            part = {name: part[name] for name in wanted}
        found = self._model.run(None, part)
        return [each[: end - start] for each in found] if fixed else list(found)

    def _resolved_features(self) -> list[tuple[dict[str, Any], str]] | None:
        """Each feature and the name of its input."""
        declared = self._metadata.get("features")
        if declared is None:
            return _undeclared(self.inputs)
        features = [{"name": each} if isinstance(each, str) else dict(each) for each in declared]
        names = [each.get("input") or each["name"] for each in features]
        only = self.inputs[0]
        if len(self.inputs) == 1:
            width = _row_size(only.shape)
            if len(only.shape) <= 2 and width in (None, len(features)):
                return [(each, only.name) for each in features]
        elif set(names) == {each.name for each in self.inputs} and all(
            len(each.shape) <= 2 and names.count(each.name) == (_row_size(each.shape) or names.count(each.name))
            for each in self.inputs
        ):
            return list(zip(features, names, strict=True))
        taken = ", ".join(f"{each.name}: {each.type}{each.shape}" for each in self.inputs)
        raise InvalidModelFolder(
            f"opening {self._folder}: metadata.json has {len(features)} features ({', '.join(names)}), but the graph "
            f"takes {taken}; save both from the same model"
        )

    def _read(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> Answers:
        described = self._metadata.get("output") or {}
        tensor = described.get("tensor")
        if tensor is not None and tensor not in outputs:
            raise InvalidModelFolder(
                f"opening {self._folder}: metadata.json says that the answer is in output {tensor}, but the model "
                f"gives {', '.join(outputs)}"
            )
        eligible = {tensor: outputs[tensor]} if tensor else dict(outputs)
        label = next((each for each in eligible.values() if each.dtype.kind in "iuOUS" and each.size == rows), None)
        scores = next((each for each in eligible.values() if each.dtype.kind == "f"), None)
        classes: list[Any] | None = self._metadata.get("classes")
        if self._is_classifier(has_label=label is not None):
            if scores is not None:
                return _classified(scores.reshape(rows, -1), label, classes, described)
            if label is not None:
                return Answers(_labels(label.reshape(-1), classes), None, classes)
        shown = [_plain(each) for each in eligible.values()]
        if len(shown) == 1:
            return Answers(shown[0], None, None)
        return Answers([dict(zip(eligible, row, strict=True)) for row in zip(*shown, strict=True)], None, None)

    def _is_classifier(self, *, has_label: bool) -> bool:
        task = str(self._metadata.get("task") or "").lower()
        output = self._metadata.get("output") or {}
        if "classif" in task or "regress" in task:
            return "classif" in task
        of_classes = output.get("threshold") is not None or output.get("activation") not in (None, "none")
        return has_label or of_classes or self._metadata.get("classes") is not None


def _session(file: Path) -> onnxruntime.InferenceSession:
    if not file.exists():
        raise InvalidModelFolder(f"opening {file.parent}: there is no {file.name}; save_model writes it")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; its warnings are about the optimisation of graphs
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidModelFolder(f"opening {file}: ONNX Runtime refuses it: {error}") from error


def _undeclared(inputs: Sequence[Any]) -> list[tuple[dict[str, Any], str]] | None:
    if all(_row_size(each.shape) == 1 for each in inputs):
        return [({"name": each.name}, each.name) for each in inputs]
    width = _row_size(inputs[0].shape)
    if len(inputs) != 1 or len(inputs[0].shape) != 2 or width is None:
        return None
    return [({"name": f"f{column}"}, inputs[0].name) for column in range(width)]


def _row_size(shape: Sequence[Any]) -> int | None:
    sizes = list(shape[1:])
    return int(np.prod(sizes)) if all(isinstance(size, int) for size in sizes) else None


def _elements(values: NDArray[Any], feature: Mapping[str, Any], element: type[np.generic]) -> NDArray[Any]:
    """[N] as the graph takes them."""
    missing = feature.get("missing")
    if values.dtype.kind == "O":
        filler = float("nan") if missing is None else missing
        values = np.array([filler if value is None else value for value in values], dtype=object)
    elif missing is not None and values.dtype.kind == "f":
        values = np.where(np.isnan(values), missing, values)
    return values.astype(element)


def _classified(
    scores: NDArray[Any], label: NDArray[Any] | None, classes: list[Any] | None, described: Mapping[str, Any]
) -> Answers:
    shares = activated(scores, described.get("activation") or "none")
    threshold = described.get("threshold")
    named = classes if classes is not None or label is not None else list(range(shares.shape[1]))
    if label is not None and threshold is None:
        return Answers(_labels(label.reshape(-1), classes), shares, classes)
    best = shares.argmax(axis=1) if threshold is None else (shares[:, 1] >= threshold).astype(int)
    names = named if named is not None else list(range(shares.shape[1]))
    return Answers([names[index] for index in best], shares, named)


def activated(scores: NDArray[Any], activation: str) -> NDArray[np.float64]:
    """Probabilities [N, K] of scores [N, K], or of [N, 1] for the second class of two: then [N, 2]."""
    scores = scores.astype(np.float64)
    if activation == "softmax" and scores.shape[1] > 1:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if activation == "sigmoid":
        # In the form that neither overflows for large nor for small scores.
        scores = np.where(
            scores >= 0, 1 / (1 + np.exp(-np.abs(scores))), np.exp(-np.abs(scores)) / (1 + np.exp(-np.abs(scores)))
        )
    return np.hstack([1 - scores, scores]) if scores.shape[1] == 1 else scores


def _labels(labels: NDArray[Any], classes: list[Any] | None) -> list[Any]:
    """A label is a class itself, or its position among the classes."""
    plain = [label.item() if hasattr(label, "item") else label for label in labels]
    if classes is None:
        return plain
    return [
        classes[label] if isinstance(label, int) and label not in classes and 0 <= label < len(classes) else label
        for label in plain
    ]


def _plain(output: NDArray[Any]) -> list[Any]:
    """One entry for each row: a number, or lists of them."""
    rows = output.reshape(-1) if output.ndim == 2 and output.shape[1] == 1 else output
    return list(rows.tolist())


def key_of(label: Any) -> str:
    """A class as a key of `probabilities`, as JavaScript writes it."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
