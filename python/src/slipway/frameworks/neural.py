"""What Keras and PyTorch have in common: one float output, whose meaning the last operation and metadata tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slipway import graph
from slipway.errors import InvalidMetadata, UnsupportedModel
from slipway.frameworks import sklearn
from slipway.frameworks.original import Attempt, Export, Original, class_names, classified, numbers
from slipway.served import activated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from slipway.frameworks.original import Task
    from slipway.sample import Sample

_PROBABILITIES = {"Softmax", "Sigmoid", "HardSigmoid"}


def preprocessed(preprocessor: Any, sample: Sample) -> NDArray[np.float32]:
    """What the network gets, [N, F], of a preprocessor of scikit-learn."""
    rows = preprocessor.transform(sample.original)
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float32)


def original(
    framework: str,
    model: Any,
    answers: NDArray[Any],
    exported: ModelProto,
    *,
    preprocessor: Any,
    sample: Sample,
    metadata: Mapping[str, Any],
    hint: Task | None = None,
) -> Original:
    """The network's answers [N, …] on the sample, and its graph.

    `hint` is what else tells the task. Raises InvalidMetadata where metadata must say it, UnsupportedModel for several
    outputs.
    """
    if len(exported.graph.output) != 1:
        names = ", ".join(output.name for output in exported.graph.output)
        raise UnsupportedModel(
            f"saving a {type(model).__name__}: it gives several outputs ({names}); save one that gives the answer alone"
        )
    output = exported.graph.output[0].name
    last = graph.final_activation(exported, output)
    task = _task(model, last, answers, metadata, hint)
    described = f"{type(model).__name__} ({framework})"
    if task == "regression":
        attempts = _attempts(graph.renamed(exported, {output: "prediction"}), preprocessor, sample)
        return Original(framework, described, task, None, numbers(answers), attempts)
    scores = answers.reshape(len(answers), -1)
    asked = metadata.get("output") or {}
    activation = asked.get("activation") or _activation(last, scores.shape[1])
    shares = activated(scores, activation)
    classes = class_names(range(shares.shape[1]), metadata)
    attempts = _attempts(
        graph.renamed(exported, {output: "probabilities" if activation == "none" else "scores"}), preprocessor, sample
    )
    return Original(
        framework,
        described,
        task,
        classes,
        classified(shares, None, classes, asked.get("threshold")),
        attempts,
        output={} if activation == "none" else {"activation": activation},
    )


def _task(model: Any, last: str | None, answers: NDArray[Any], metadata: Mapping[str, Any], hint: Task | None) -> Task:
    said = str(metadata.get("task") or "").lower()
    output = metadata.get("output") or {}
    of_classes = metadata.get("classes") is not None or bool(output.get("activation") or output.get("threshold"))
    if "regress" in said:
        return "regression"
    if "classif" in said or of_classes or last in ("Softmax", "LogSoftmax"):
        return "classification"
    if hint is not None:
        return hint
    if last == "Sigmoid" and answers[0].size == 1:
        return "classification"
    raise InvalidMetadata(
        f"saving a {type(model).__name__}: its output of shape {list(answers.shape)} may be scores of classes or numbers; "
        'say which in metadata: "task": "classification" or "regression"'
    )


def _activation(last: str | None, width: int) -> str:
    if last in _PROBABILITIES:
        return "none"
    return "softmax" if width > 1 else "sigmoid"


def _attempts(exported: ModelProto, preprocessor: Any, sample: Sample) -> list[Attempt]:
    if preprocessor is None:
        return [Attempt("float32", lambda: Export(exported))]

    def attempt(precision: str, number: int) -> Attempt:
        def export() -> Export:
            first = sklearn.converted_preprocessor(preprocessor, sample, number)
            before, after = graph.chained(first, lambda *_: exported, graph.FLOAT, sklearn.INPUT)
            return Export(after, before)

        return Attempt(precision, export)

    return [attempt("float32", graph.FLOAT), attempt("float64 up to the model", graph.DOUBLE)]
