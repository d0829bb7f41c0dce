"""How far ONNX Runtime's answers are from the original framework's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway.errors import RowMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slipway.served import Answers


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be off: |got - expected| <= absolute + relative * |expected|. The runtime's own by default."""

    absolute: float = 1e-5
    relative: float = 1e-4

    def allows(self, expected: NDArray[np.float64], got: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For each pair of numbers, in arrays of one shape; NaN is as NaN."""
        with np.errstate(invalid="ignore"):
            near = np.abs(got - expected) <= self.absolute + self.relative * np.abs(expected)
        return np.asarray(near | (np.isnan(got) & np.isnan(expected)) | (got == expected))


@dataclass(frozen=True)
class Comparison:
    """Of N rows."""

    rows: int
    mismatches: list[RowMismatch]
    """The worst first."""
    ties: list[int]
    """Rows of other labels whose probabilities tie: neither label is wrong."""
    largest_difference: float
    """Over all rows: of probabilities absolute; of other numbers relative to the expected one where that exceeds 1."""


def compare(expected: Answers, got: Answers, tolerance: Tolerance) -> Comparison:
    """Compares row by row: labels must be equal, numbers near."""
    rows = len(expected.predictions)
    if expected.probabilities is None and not _are_numbers(expected):
        return _compare_labels(expected, got)
    wanted, found = _numbers(expected), _numbers(got)
    if wanted.shape != found.shape:
        shapes = f"{wanted.shape[1]} and {found.shape[1]} numbers"
        mismatches = [RowMismatch(row, shapes, expected.json(row), float("inf")) for row in range(rows)]
        return Comparison(rows, mismatches, [], float("inf"))
    near = np.asarray(tolerance.allows(wanted, found).all(axis=1))
    differences = _differences(wanted, found, is_probability=expected.probabilities is not None)
    mismatched, ties = [], []
    for row in range(rows):
        same = expected.probabilities is None or expected.predictions[row] == got.predictions[row]
        if near[row] and not same and _is_tie(expected, got, row, tolerance):
            ties.append(row)
        elif not near[row] or not same:
            mismatched.append(RowMismatch(row, expected.json(row), got.json(row), float(differences[row])))
    mismatched.sort(key=lambda each: -each.difference)
    return Comparison(rows, mismatched, ties, float(differences.max(initial=0)))


def _compare_labels(expected: Answers, got: Answers) -> Comparison:
    pairs = list(zip(expected.predictions, got.predictions, strict=True))
    mismatches = [
        RowMismatch(row, expected.json(row), got.json(row), 1.0)
        for row, (wanted, found) in enumerate(pairs)
        if wanted != found
    ]
    return Comparison(len(pairs), mismatches, [], 1.0 if mismatches else 0.0)


def _are_numbers(answers: Answers) -> bool:
    return answers.classes is None


def _numbers(answers: Answers) -> NDArray[np.float64]:
    """[N, K]"""
    values: Any = answers.predictions if answers.probabilities is None else answers.probabilities
    return np.asarray(values, dtype=np.float64).reshape(len(answers.predictions), -1)


def _differences(
    wanted: NDArray[np.float64], found: NDArray[np.float64], *, is_probability: bool
) -> NDArray[np.float64]:
    """[N]"""
    with np.errstate(invalid="ignore"):
        off = np.abs(found - wanted)
    off = np.where((np.isnan(found) & np.isnan(wanted)) | (found == wanted), 0, off)
    off = np.where(np.isnan(off), np.inf, off)
    scale = 1 if is_probability else np.maximum(1, np.abs(wanted))
    return np.asarray((off / scale).max(axis=1, initial=0))


def _is_tie(expected: Answers, got: Answers, row: int, tolerance: Tolerance) -> bool:
    """Whether the original gives both labels the same probability, but for rounding."""
    if expected.probabilities is None or expected.classes is None or got.predictions[row] not in expected.classes:
        return False
    labels = (expected.predictions[row], got.predictions[row])
    one, other = (expected.probabilities[[row], expected.classes.index(label)] for label in labels)
    return bool(tolerance.allows(one, other).all())
