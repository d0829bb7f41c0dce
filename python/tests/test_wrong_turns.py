"""Every wrong turn has its own error, which says the way out, and leaves the folder as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import slipway
from slipway import (
    ConversionMismatch,
    FolderInUse,
    InvalidMetadata,
    InvalidModelFolder,
    MissingExtra,
    SlipwayError,
    Tolerance,
    UnsupportedModel,
    UnsupportedSample,
    digest,
    load_metadata,
    save_model,
)
from slipway.__main__ import main
from slipway.frameworks.original import require

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def line(numbers: pd.DataFrame, amount: Any) -> Any:
    return LinearRegression().fit(numbers, amount)


def test_a_model_is_replaced_whole_and_stays_when_the_next_one_fails(
    tmp_path: Path, numbers: pd.DataFrame, line: Any, amount: Any
) -> None:
    place = tmp_path / "m"
    first = save_model(line, place, sample=numbers).sha256
    with pytest.raises(InvalidMetadata):
        save_model(line, place, {"task": "classification"}, sample=numbers)
    assert digest(place) == first
    second = save_model(LinearRegression().fit(numbers, -amount), place, sample=numbers).sha256
    assert digest(place) == second != first
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, numbers: pd.DataFrame, line: Any) -> None:
    save_model(line, tmp_path / "m", sample=numbers)
    (tmp_path / "m" / "notes.txt").write_text("mine")
    with pytest.raises(FolderInUse, match=r"holds notes\.txt, which save_model did not write"):
        save_model(line, tmp_path / "m", sample=numbers)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderInUse, match="a file of that name"):
        save_model(line, tmp_path / "file", sample=numbers)
    with pytest.raises(FolderInUse, match="folders of this machine"):
        save_model(line, "s3://models/line", sample=numbers)


def test_others_may_read_what_was_saved(tmp_path: Path, numbers: pd.DataFrame, line: Any) -> None:
    (tmp_path / "made").mkdir()
    save_model(line, tmp_path / "m", sample=numbers)
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "made").stat().st_mode


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"version": ""}, "version"),
        ({"features": ["age", "income"]}, "sample's columns differ.*score"),
        ({"features": [{"name": "age", "type": "text"}, "income", "score"]}, "features"),
        ({"features": ["age", {"name": "income", "type": "string"}, "score"]}, "income is string"),
        ({"classes": ["a", "a"]}, "classes"),
        ({"task": "classification"}, "is for regression"),
        ({"metrics": {"model": object()}}, "metadata.metrics.model: JSON has no object"),
    ],
)
def test_metadata_that_is_wrong_or_contradicts_the_model(
    tmp_path: Path, numbers: pd.DataFrame, line: Any, metadata: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidMetadata, match=message):
        save_model(line, tmp_path / "m", metadata, sample=numbers)
    assert list(tmp_path.iterdir()) == []


def test_classes_may_name_numbers_but_not_other_words(tmp_path: Path, numbers: pd.DataFrame, two: Any) -> None:
    model = LogisticRegression(max_iter=1000).fit(numbers, np.array(["no", "yes"])[two])
    with pytest.raises(InvalidMetadata, match=r"the model's are \['no', 'yes'\]"):
        save_model(model, tmp_path / "m", {"classes": ["rejected", "approved"]}, sample=numbers)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (None, "sample is missing"),
        (np.zeros((0, 3)), "has no rows"),
        (np.zeros(3), r"X\.reshape\(-1, 1\)"),
        (np.array([[1.0, np.inf, 0.0]]), "infinite in row 0"),
        (pd.DataFrame({"day": pd.to_datetime(["2026-01-01"])}), "day is of datetime64"),
        (pd.DataFrame({"mixed": [1, "a"]}), "mixed has values of int, str"),
        (pd.DataFrame({"word": ["a", None]}), "word is text and row 1 has none"),
    ],
)
def test_samples_that_no_request_could_carry(tmp_path: Path, line: Any, sample: Any, message: str) -> None:
    with pytest.raises(UnsupportedSample, match=message):
        save_model(line, tmp_path / "m", sample=sample)


@pytest.mark.parametrize(
    ("model", "message"),
    [("model.pkl", "load the model first"), (object(), "of no framework"), (Path("model.pt"), "load the model first")],
)
def test_what_is_no_model(tmp_path: Path, numbers: pd.DataFrame, model: Any, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        save_model(model, tmp_path / "m", sample=numbers)


def test_rows_that_differ_are_told_with_how_much_unless_allowed(
    tmp_path: Path, numbers: pd.DataFrame, amount: Any
) -> None:
    class Wayward(LinearRegression):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return super().predict(X) + (np.arange(len(X)) == 17) * 5.0

    Wayward.__module__ = "sklearn.linear_model._base"
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator

    original = get_converter("SklearnLinearRegressor")

    def convert(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, container)

    update_registered_converter(
        Wayward,
        "SklearnWayward",
        get_shape_calculator("SklearnLinearRegressor"),
        convert,
    )
    model = Wayward().fit(numbers, amount)
    with pytest.raises(ConversionMismatch, match=r"differ in 1 of 300 rows by up to 0\.0.*row 17: expected") as caught:
        save_model(model, tmp_path / "m", sample=numbers)
    assert [each.row for each in caught.value.rows] == [17]
    assert list(tmp_path.iterdir()) == []

    save_model(model, tmp_path / "m", sample=numbers, tolerance=Tolerance(absolute=6))
    assert json.loads((tmp_path / "m" / "golden.json").read_text())["tolerance"] == {"absolute": 6, "relative": 1e-4}


def test_a_missing_package_is_told_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingExtra, match=r'pip install "slipway\[lightgbm\]"'):
        require("no_such_package", "lightgbm")


def test_the_command_line_checks_folders(
    tmp_path: Path, numbers: pd.DataFrame, line: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(line, tmp_path / "m", sample=numbers)
    assert main(["check", str(tmp_path / "m")]) == 0
    assert "answers its 20 golden rows" in capsys.readouterr().out
    golden = json.loads((tmp_path / "m" / "golden.json").read_text())
    golden["rows"][3]["output"]["prediction"] += 100
    (tmp_path / "m" / "golden.json").write_text(json.dumps(golden))
    assert main(["check", str(tmp_path / "m")]) == 1
    assert "1 of 20 rows are answered otherwise: row 3" in capsys.readouterr().err
    (tmp_path / "m" / "model.onnx").write_bytes(b"no graph")
    assert main(["check", str(tmp_path / "m")]) == 1
    assert "ONNX Runtime refuses it" in capsys.readouterr().err
    assert main(["digest", str(tmp_path / "m")]) == 0
    assert capsys.readouterr().out.startswith(digest(tmp_path / "m"))


@pytest.mark.parametrize("example", ["loan/1.0.0", "churn-pipeline/model", "digits-keras/model", "fault-torch/model"])
def test_the_examples_are_folders_that_pass(example: str) -> None:
    assert main(["check", str(Path(__file__).parents[2] / "examples" / example)]) == 0


def test_metadata_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("{")
    with pytest.raises(InvalidMetadata, match="it is not JSON"):
        load_metadata(tmp_path)
    with pytest.raises(InvalidModelFolder, match="no such folder"):
        load_metadata(tmp_path / "none")


def test_the_wheel_has_its_types_and_schemas(tmp_path: Path) -> None:
    project = Path(__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*command, str(project)], check=True)
    (wheel,) = tmp_path.glob("slipway-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"slipway/py.typed", "slipway/schemas/metadata.schema.json", "slipway/schemas/golden.schema.json"} <= set(
        names
    )
    assert not [name for name in names if "test" in name]


COLUMNS: dict[str, Callable[[Any], Any]] = {
    "int64": lambda random: random.integers(-1000, 1000, 40),
    "int8": lambda random: random.integers(-5, 5, 40).astype("int8"),
    "float64": lambda random: random.normal(0, 1e4, 40),
    "float32": lambda random: random.normal(0, 1, 40).astype("float32"),
    "missing": lambda random: np.where(random.random(40) < 0.2, np.nan, random.normal(0, 1, 40)),
    "Int64": lambda random: pd.array([None, *random.integers(0, 9, 39)], dtype="Int64"),
    "bool": lambda random: random.random(40) < 0.5,
    "words": lambda random: random.choice(np.array(["a", "b", "ü"], dtype=object), 40),
    "string": lambda random: pd.array(random.choice(["x", "y"], 40), dtype="string"),
    "category": lambda random: pd.Categorical(random.choice(["p", "q"], 40)),
    "absent words": lambda _: np.array([None, *["w"] * 39], dtype=object),
    "date": lambda random: pd.to_datetime(random.integers(0, 10**9, 40), unit="s"),
}


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5, unique=True), seed=st.integers(0, 9))
def test_any_frame_is_saved_and_agrees_or_fails_by_a_named_error(tmp_path: Path, kinds: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({kind: COLUMNS[kind](random) for kind in kinds})
    target = np.arange(40) % 2
    words = make_column_selector(dtype_exclude=["number", "bool"])
    figures = make_column_selector(dtype_include=["number", "bool"])
    columns = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ("figures", make_pipeline(SimpleImputer(), StandardScaler()), figures),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, target)
    place = tmp_path / "m"
    try:
        saved = save_model(model, place, sample=frame)
    except SlipwayError:
        assert {"absent words", "date"} & set(kinds)
        return
    assert not {"absent words", "date"} & set(kinds)
    assert saved.largest_difference < 1e-4
    assert slipway.load_metadata(place) == saved.metadata
