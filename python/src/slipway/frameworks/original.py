"""What save_model learns of a model from the framework that trained it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slipway.errors import InvalidMetadata, MissingExtra
from slipway.served import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Export:
    """A model as ONNX."""

    model: ModelProto
    preprocessor: ModelProto | None = None


@dataclass(frozen=True)
class Attempt:
    """One way to convert a model."""

    precision: str
    """What it computes in, for people."""
    export: Callable[[], Export]
    """Raises UnsupportedModel."""


@dataclass(frozen=True)
class Original:
    """A trained model as its framework has it."""

    framework: str
    model_type: str
    task: Task
    classes: list[Any] | None
    """The labels that requests are answered with; None for a regressor."""
    answers: Answers
    """On the sample."""
    attempts: Sequence[Attempt]
    """The cheapest first; the next is tried where rows differ."""
    output: Mapping[str, Any] = field(default_factory=dict)
    """What metadata.json says of the graph's output."""


def require(package: str, extra: str) -> None:
    """Raises MissingExtra with the line that installs `package`."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(
            f"saving the model: {package} is not installed, which converts {extra} models; "
            f'install it by: pip install "slipway[{extra}]"'
        )


def classified(
    shares: NDArray[np.float64] | None,
    labels: Sequence[Any] | None,
    classes: list[Any],
    threshold: float | None,
) -> Answers:
    """A classifier's answers: its own labels, where it has some and no threshold overrules them."""
    if shares is not None and (threshold is not None or labels is None):
        chosen = shares.argmax(axis=1) if threshold is None else (shares[:, 1] >= threshold).astype(int)
        labels = [classes[index] for index in chosen]
    return Answers(list(labels or []), shares, classes)


def numbers(values: Any) -> Answers:
    """A regressor's answers, [N], [N, 1] or [N, K]."""
    array = np.asarray(values, dtype=np.float64)
    flat = array.reshape(-1) if array.ndim == 2 and array.shape[1] == 1 else array
    return Answers(list(flat.tolist()), None, None)


def class_names(own: Sequence[Any], metadata: Mapping[str, Any]) -> list[Any]:
    """The labels that requests are answered with, in the order of the model's own classes.

    The person may name classes that the model numbers 0 … K-1. Raises InvalidMetadata for others than the model's.
    """
    labels = [plain_label(each) for each in own]
    given = metadata.get("classes")
    if given is None:
        return labels
    given = [plain_label(each) for each in given]
    if given == labels:
        return labels
    is_numbered = [int(each) if isinstance(each, bool) else each for each in labels] == list(range(len(labels)))
    if len(given) == len(labels) and is_numbered and not any(isinstance(each, int) for each in given):
        return given
    raise InvalidMetadata(
        f"saving the model: metadata's classes are {given}, but the model's are {labels}; leave classes out, or name "
        "as many in that order (names of one's own are for a model whose classes are 0, 1, …)"
    )


def plain_label(label: Any) -> Any:
    """As JSON has it; a whole number as an integer."""
    value = label.item() if hasattr(label, "item") else label
    return int(value) if isinstance(value, float) and value.is_integer() else value
