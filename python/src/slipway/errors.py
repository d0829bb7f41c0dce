"""What goes wrong, as types. Each message says what was attempted, on what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class SlipwayError(Exception):
    """The base of all errors that this package raises on purpose."""


class UnsupportedModel(SlipwayError):
    """A model, or one of its steps, that has no ONNX form that the runtime serves."""


class UnsupportedSample(SlipwayError):
    """A sample that requests could not carry, or that does not fit the model."""


class InvalidMetadata(SlipwayError):
    """Metadata that is not what `metadata.json` may hold, or that contradicts the model."""


class InvalidModelFolder(SlipwayError):
    """A folder that the runtime would not serve."""


class FolderInUse(SlipwayError, FileExistsError):
    """The place to save to holds something else than a model."""


class MissingExtra(SlipwayError, ImportError):
    """A package that an optional part needs is not installed; the message has the line that installs it."""


@dataclass(frozen=True)
class RowMismatch:
    """One row of the sample on which ONNX and the original framework differ."""

    row: int
    expected: Any
    """The original framework's prediction, and its probabilities where it has some."""
    actual: Any
    """ONNX Runtime's."""
    difference: float
    """The largest absolute one; of a regressor's, relative to the expected value where that exceeds 1."""


class ConversionMismatch(SlipwayError):
    """ONNX Runtime and the original framework give different answers, also in double precision."""

    def __init__(self, message: str, rows: list[RowMismatch]) -> None:
        super().__init__(message)
        self.rows = rows
        """All rows that differ, the worst first."""
