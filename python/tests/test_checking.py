"""`slipway check` says of a folder what the runtime's own check says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from conftest import NODE, ROOT
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from slipway import save_model
from slipway.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def both(folder: Path) -> list[bool]:
    """Whether the package, and whether the runtime, takes it."""
    runtimes = subprocess.run([str(NODE), "runtime/check/main.ts", str(folder)], cwd=ROOT, check=False)
    return [main(["check", str(folder)]) == 0, runtimes.returncode == 0]


def edit(file: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    sample = random.normal(size=(30, 2))
    model = LogisticRegression().fit(sample, (sample[:, 0] > 0).astype(int))
    return save_model(model, tmp_path / "model", sample=sample).path


@pytest.mark.parametrize(
    ("off", "is_taken"), [(0, True), (1e-6, True), (0.1, False)], ids=["same", "within the tolerance", "beyond it"]
)
def test_a_stated_probability_is_compared(classifier: Path, off: float, is_taken: bool) -> None:
    def state(golden: dict[str, Any]) -> None:
        for row in golden["rows"]:
            row["output"]["probability"] = row["output"]["probabilities"]["1"] + off

    edit(classifier / "golden.json", state)
    assert both(classifier) == [is_taken, is_taken]


def test_whole_numbers_are_the_same_labels_however_they_are_written(classifier: Path) -> None:
    edit(classifier / "metadata.json", lambda metadata: metadata.update(classes=[0.0, 1.0]))
    assert "[0.0, 1.0]" in (classifier / "metadata.json").read_text()
    assert both(classifier) == [True, True]


def test_the_other_label_of_a_tie_is_taken(classifier: Path) -> None:
    def tie(golden: dict[str, Any]) -> None:
        golden["tolerance"] = {"absolute": 0.9}
        output = golden["rows"][0]["output"]
        output["prediction"] = 1 - output["prediction"]

    edit(classifier / "golden.json", tie)
    assert both(classifier) == [True, True]


@pytest.mark.parametrize(("twice", "is_taken"), [(2.0, True), (3.0, False)])
def test_several_outputs_are_answered_by_name(tmp_path: Path, twice: float, is_taken: bool) -> None:
    tensor = helper.make_tensor_value_info
    nodes = [helper.make_node("Identity", ["x"], ["once"]), helper.make_node("Add", ["x", "x"], ["twice"])]
    outputs = [tensor(name, TensorProto.FLOAT, ["N", 1]) for name in ("once", "twice")]
    graph = helper.make_graph(nodes, "several", [tensor("x", TensorProto.FLOAT, ["N", 1])], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    rows = [{"input": {"x": 1.0}, "output": {"prediction": {"once": 1.0, "twice": twice}}}]
    (tmp_path / "golden.json").write_text(json.dumps({"rows": rows}))
    assert both(tmp_path) == [is_taken, is_taken]
