"""PyTorch modules."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway import graph
from slipway.errors import UnsupportedModel, UnsupportedSample
from slipway.frameworks import neural
from slipway.frameworks.original import require
from slipway.frameworks.sklearn import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from slipway.frameworks.original import Original
    from slipway.sample import Sample


def read(model: Any, preprocessor: Any, sample: Sample, metadata: Mapping[str, Any]) -> Original:
    """Asks the module, in evaluation mode and on the CPU, and exports it."""
    require("onnxscript", "torch")
    module = copy.deepcopy(model).cpu().eval()
    arrays = _arrays(module, preprocessor, sample)
    answers = _answers(module, arrays)
    exported = _exported(module, arrays)
    if len(arrays) == 1:
        graph.renamed(exported, {exported.graph.input[0].name: next(iter(arrays))})
    return neural.original(
        "PyTorch", model, answers, exported, preprocessor=preprocessor, sample=sample, metadata=metadata
    )


def _arrays(module: Any, preprocessor: Any, sample: Sample) -> dict[str, NDArray[Any]]:
    """What the module takes: one array, or several by the names of forward's parameters."""
    real = np.float64 if any(str(each.dtype) == "torch.float64" for each in module.parameters()) else np.float32
    if preprocessor is not None:
        return {INPUT: neural.preprocessed(preprocessor, sample).astype(real)}
    if isinstance(sample.original, dict):
        return {name: _as_taken(values, real) for name, values in sample.original.items()}
    if sample.columns is None:
        return {"input": _as_taken(sample.original, real)}
    if sample.has_text:
        text = ", ".join(column.name for column in sample.columns if column.type == "string")
        raise UnsupportedModel(
            f"saving a {type(module).__name__}: {text} is text, which a PyTorch module does not take; encode it by a "
            "ColumnTransformer of scikit-learn, train on its output, and give it as preprocessor"
        )
    if isinstance(sample.original, np.ndarray):
        return {INPUT: _as_taken(sample.original, real)}
    return {INPUT: sample.matrix(real)}


def _as_taken(values: NDArray[Any], real: type[np.generic]) -> NDArray[Any]:
    return values.astype(np.int64 if values.dtype.kind in "iu" else real)


def _answers(module: Any, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    import torch

    try:
        with torch.no_grad():
            answer = _called(module, arrays)
    except Exception as error:
        shapes = ", ".join(f"{name} {list(values.shape)} of {values.dtype}" for name, values in arrays.items())
        raise UnsupportedSample(
            f"saving a {type(module).__name__}: it does not take the sample ({shapes}): {error}; give what forward takes, "
            "a dict of arrays for several parameters"
        ) from error
    if not isinstance(answer, torch.Tensor):
        raise UnsupportedModel(
            f"saving a {type(module).__name__}: forward returns a {type(answer).__name__}; wrap it in a module that "
            "returns the tensor of the answer"
        )
    return np.asarray(answer.detach().numpy(), dtype=np.float64)


def _called(module: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    import torch

    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    return module(next(iter(tensors.values()))) if len(tensors) == 1 else module(**tensors)


def _exported(module: Any, arrays: Mapping[str, NDArray[Any]]) -> ModelProto:
    import torch

    # Two rows: of one the exporter would conclude that there is always one.
    examples = {
        name: torch.from_numpy(np.ascontiguousarray(np.concatenate([values, values])[:2]))
        for name, values in arrays.items()
    }
    rows = torch.export.Dim("N")
    one = len(examples) == 1
    shapes = {name: {0: rows} for name in examples}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(examples.values()) if one else (),
                kwargs=None if one else examples,
                dynamic_shapes=tuple(shapes.values()) if one else shapes,
                input_names=list(examples),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        raise UnsupportedModel(
            f"converting a {type(module).__name__}: torch.onnx.export refuses it: {text}; write forward in tensor "
            "operations alone, without branches on values"
        ) from error
    exported: ModelProto = program.model_proto
    return exported
