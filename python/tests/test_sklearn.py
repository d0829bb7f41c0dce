from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from conftest import ROOT
from lightgbm import LGBMClassifier
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from slipway import InvalidMetadata, UnsupportedModel, UnsupportedSample, digest, load_metadata, save_model

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def columns_pipeline(last: Any) -> Pipeline:
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("words", words, ["city"]), ("numbers", filled, ["age", "income", "score", "member"])])
    return Pipeline([("columns", columns), ("model", last)])


def test_writes_a_folder_that_describes_itself(tmp_path: Path, numbers: pd.DataFrame, two: Any) -> None:
    scaler = StandardScaler().fit(numbers)
    model = RandomForestClassifier(10, random_state=1).fit(scaler.transform(numbers), two)
    given = {
        "version": "1.0.0",
        "target": "approved",
        "classes": ["rejected", "approved"],
        "metrics": {"accuracy": np.float64(0.93)},
        "team": "credit",
    }
    saved = save_model(model, tmp_path / "loan", given, preprocessor=scaler, sample=numbers)

    names = sorted(file.name for file in (tmp_path / "loan").iterdir())
    assert names == ["golden.json", "metadata.json", "model.onnx", "preprocessor.onnx"]
    metadata = load_metadata(tmp_path / "loan")
    assert metadata == saved.metadata
    assert metadata.pop("created_at").endswith("Z")
    assert metadata == {
        "model_type": "RandomForestClassifier",
        "version": "1.0.0",
        "task": "classification",
        "features": [{"name": name, "type": "number"} for name in numbers.columns],
        "target": "approved",
        "classes": ["rejected", "approved"],
        "metrics": {"accuracy": 0.93},
        "team": "credit",
    }
    golden = json.loads((tmp_path / "loan" / "golden.json").read_text())["rows"]
    assert len(golden) == 20
    assert golden[0]["input"] == numbers.iloc[0].to_dict()
    shares = model.predict_proba(scaler.transform(numbers))[0].tolist()
    assert golden[0]["output"] == {
        "prediction": ["rejected", "approved"][model.predict(scaler.transform(numbers))[0]],
        "probabilities": dict(zip(["rejected", "approved"], shares, strict=True)),
    }
    assert saved.sha256 == digest(tmp_path / "loan")
    assert saved.rows == 300
    assert saved.largest_difference < 1e-6
    assert list(tmp_path.iterdir()) == [tmp_path / "loan"]


def test_keeps_columns_of_text_numbers_and_booleans_apart(tmp_path: Path, customers: pd.DataFrame, two: Any) -> None:
    pipeline = columns_pipeline(LogisticRegression(max_iter=500)).fit(customers, two)
    saved = save_model(pipeline, tmp_path / "m", sample=customers)
    assert saved.metadata["model_type"] == "Pipeline(ColumnTransformer, LogisticRegression)"
    assert saved.metadata["features"] == [
        {"name": "age", "type": "integer"},
        {"name": "income", "type": "number"},
        {"name": "score", "type": "number", "nullable": True},
        {"name": "member", "type": "boolean"},
        {"name": "city", "type": "string"},
    ]
    assert saved.metadata["classes"] == [0, 1]
    first = json.loads((tmp_path / "m" / "golden.json").read_text())["rows"][0]["input"]
    assert first["score"] is None
    assert type(first["age"]) is int
    assert type(first["member"]) is bool


def test_retries_in_double_where_float32_puts_values_on_the_other_side_of_a_tree(
    tmp_path: Path, customers: pd.DataFrame, two: Any
) -> None:
    # Thresholds of scaled values lie between neighbours that float32 does not tell apart.
    close = customers.assign(income=50_000 + np.random.default_rng(1).normal(0, 1e-2, len(customers)))
    pipeline = columns_pipeline(RandomForestClassifier(20, random_state=1)).fit(close, two)
    saved = save_model(pipeline, tmp_path / "m", sample=close)
    assert saved.precision == "float64 up to the model"
    assert saved.largest_difference < 1e-6


def test_a_scaler_of_its_own_is_retried_in_double_too(tmp_path: Path, two: Any) -> None:
    rows = 50_000 + np.random.default_rng(1).normal(0, 1e-2, (300, 2))
    scaler = StandardScaler().fit(rows)
    model = RandomForestRegressor(5, random_state=1).fit(scaler.transform(rows), two)
    saved = save_model(model, tmp_path / "m", preprocessor=scaler, sample=rows)
    assert saved.precision == "float64 up to the model"


def test_thresholds_of_lightgbm_are_retried_in_double(tmp_path: Path) -> None:
    rows = 50_000 + np.random.default_rng(1).normal(0, 1e-2, (300, 2))
    model = LGBMClassifier(n_estimators=10, verbose=-1).fit(rows, (rows[:, 0] > 50_000).astype(int))
    saved = save_model(model, tmp_path / "m", sample=rows)
    assert (saved.framework, saved.precision) == ("LightGBM", "float64")


def test_takes_the_best_of_a_search(tmp_path: Path, numbers: pd.DataFrame, two: Any) -> None:
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]})
    saved = save_model(search.fit(numbers, two), tmp_path / "m", sample=numbers)
    assert saved.metadata["model_type"] == "Pipeline(StandardScaler, LogisticRegression)"


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=10),
        VotingClassifier([("line", LogisticRegression()), ("bayes", GaussianNB())], voting="soft"),
        make_pipeline(StandardScaler(), LinearSVC()),
    ],
)
def test_converts_what_skl2onnx_alone_does_not(tmp_path: Path, numbers: pd.DataFrame, three: Any, model: Any) -> None:
    saved = save_model(model.fit(numbers, three), tmp_path / "m", sample=numbers)
    assert saved.largest_difference < 1e-5


def test_a_classifier_without_probabilities_answers_its_label_alone(
    tmp_path: Path, numbers: pd.DataFrame, two: Any
) -> None:
    words = np.array(["no", "yes"])[two]
    save_model(make_pipeline(StandardScaler(), LinearSVC()).fit(numbers, words), tmp_path / "m", sample=numbers)
    assert [each.name for each in onnx.load(tmp_path / "m" / "model.onnx").graph.output] == ["label"]
    golden = json.loads((tmp_path / "m" / "golden.json").read_text())["rows"]
    assert {tuple(row["output"]) for row in golden} == {("prediction",)}


def test_arrays_have_the_names_of_metadata_or_of_the_training_or_numbers(
    tmp_path: Path, numbers: pd.DataFrame, amount: Any
) -> None:
    model = LinearRegression().fit(numbers.to_numpy(), amount)

    def names(metadata: dict[str, Any], trained: Any = model) -> list[str]:
        saved = save_model(trained, tmp_path / "m", metadata, sample=numbers.to_numpy())
        return [feature["name"] for feature in saved.metadata["features"]]

    assert names({}) == ["f0", "f1", "f2"]
    assert names({"features": ["a", {"name": "b", "nullable": True}, "c"]}) == ["a", "b", "c"]
    assert names({}, LinearRegression().fit(numbers, amount)) == ["age", "income", "score"]
    with pytest.raises(InvalidMetadata, match=r"2 features \(a, b\), but the sample has 3 columns"):
        names({"features": ["a", "b"]})


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, customers: pd.DataFrame, two: Any) -> None:
    pipeline = columns_pipeline(LogisticRegression(max_iter=500)).fit(customers, two)
    one, other = (
        save_model(pipeline, tmp_path / name, {"created_at": "2026-01-15T09:00:00Z"}, sample=customers).sha256
        for name in ("one", "other")
    )
    assert one == other


def test_agrees_with_the_example_that_was_exported_by_hand(tmp_path: Path) -> None:
    example = ROOT / "examples" / "loan" / "1.0.0"
    assert set(load_metadata(example)) >= {"features", "classes", "metrics"}
    assert load_metadata(tmp_path) == {}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            make_pipeline(FunctionTransformer(np.abs), LogisticRegression()),
            r"step functiontransformer \(.*Transf.*scikit-learn's",
        ),
        (KMeans(2, n_init=1), "no classifier and no regressor"),
    ],
)
def test_names_the_step_that_cannot_be_converted(
    tmp_path: Path, numbers: pd.DataFrame, two: Any, model: Any, message: str
) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        save_model(model.fit(numbers, two), tmp_path / "m", sample=numbers)
    assert list(tmp_path.iterdir()) == []


def test_refuses_several_labels_for_a_row(tmp_path: Path, numbers: pd.DataFrame, two: Any) -> None:
    model = MultiOutputClassifier(LogisticRegression()).fit(numbers, np.column_stack([two, 1 - two]))
    with pytest.raises(UnsupportedModel, match="save a model for each label"):
        save_model(model, tmp_path / "m", sample=numbers)


def test_a_model_that_was_not_trained_is_no_model(tmp_path: Path, numbers: pd.DataFrame) -> None:
    with pytest.raises(UnsupportedSample, match="not fitted yet"):
        save_model(LogisticRegression(), tmp_path / "m", sample=numbers)
