"""The runtime itself answers as the original framework: each framework and task, once. Prints the table of docs/models.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from slipway import save_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Trained(NamedTuple):
    """A model, what it is asked, and its own answers [N], [N, K] to it."""

    model: Any
    sample: Any
    expected: Any
    metadata: dict[str, Any]
    preprocessor: Any = None


class Data(NamedTuple):
    customers: pd.DataFrame
    numbers: pd.DataFrame
    two: Any
    three: Any
    amount: Any

    @property
    def scaled(self) -> Any:
        return StandardScaler().fit(self.numbers).transform(self.numbers).astype(np.float32)


def columns(last: Any) -> Pipeline:
    filled = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    split = ColumnTransformer([("words", words, ["city"]), ("numbers", filled, ["age", "income", "score", "member"])])
    return Pipeline([("columns", split), ("model", last)])


def forest_after_scaler(data: Data) -> Trained:
    scaler = StandardScaler().fit(data.numbers)
    model = RandomForestClassifier(20, random_state=1).fit(scaler.transform(data.numbers), data.two)
    expected = model.predict_proba(scaler.transform(data.numbers))
    return Trained(model, data.numbers, expected, {"classes": ["rejected", "approved"]}, scaler)


def words_and_numbers(data: Data) -> Trained:
    model = columns(LogisticRegression(max_iter=500)).fit(data.customers, np.array(["no", "maybe", "yes"])[data.three])
    return Trained(model, data.customers, model.predict_proba(data.customers), {})


def estimator(model: Any, target: str, frame: str = "numbers") -> Callable[[Data], Trained]:
    def trained(data: Data) -> Trained:
        rows = getattr(data, frame)
        model.fit(rows, getattr(data, target))
        return Trained(model, rows, model.predict(rows) if target == "amount" else model.predict_proba(rows), {})

    return trained


def xgboost_booster(data: Data) -> Trained:
    rows = xgboost.DMatrix(data.numbers, data.two)
    model = xgboost.train({"objective": "binary:logistic"}, rows, 20)
    shares = model.predict(rows)
    return Trained(model, data.numbers, np.column_stack([1 - shares, shares]), {})


def lightgbm_booster(data: Data) -> Trained:
    model = lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(data.numbers, data.amount), 20)
    return Trained(model, data.numbers, model.predict(data.numbers), {})


def keras_network(target: str, units: int, activation: str | None, loss: str) -> Callable[[Data], Trained]:
    def trained(data: Data) -> Trained:
        import keras

        keras.utils.set_random_seed(1)
        layers = [keras.Input((3,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(units, activation)]
        model = keras.Sequential(layers)
        model.compile("adam", loss)
        model.fit(data.scaled, getattr(data, target), epochs=3, verbose=0)
        answers = model.predict(data.scaled, verbose=0).astype(np.float64)
        expected = np.hstack([1 - answers, answers]) if activation == "sigmoid" else answers
        return Trained(model, data.scaled, expected, {})

    return trained


def torch_network(task: str, units: int) -> Callable[[Data], Trained]:
    def trained(data: Data) -> Trained:
        import torch

        torch.manual_seed(1)
        model = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, units)).eval()
        with torch.no_grad():
            scores = model(torch.from_numpy(data.scaled)).double()
            logits = torch.hstack([torch.zeros_like(scores), scores]) if units == 1 else scores
            expected = (scores if task == "regression" else torch.softmax(logits, 1)).numpy()
        return Trained(model, data.scaled, expected, {"task": task})

    return trained


CASES: dict[tuple[str, str], Callable[[Data], Trained]] = {
    ("scikit-learn: StandardScaler as preprocessor, RandomForestClassifier", "two classes"): forest_after_scaler,
    ("scikit-learn: Pipeline of text and numbers, LogisticRegression", "three classes"): words_and_numbers,
    ("scikit-learn: LinearRegression", "regression"): estimator(LinearRegression(), "amount"),
    ("scikit-learn: Pipeline of text and numbers, RandomForestRegressor", "regression"): estimator(
        columns(RandomForestRegressor(20, random_state=1)), "amount", "customers"
    ),
    ("XGBoost: XGBClassifier", "two classes"): estimator(xgboost.XGBClassifier(n_estimators=20), "two"),
    ("XGBoost: XGBClassifier", "three classes"): estimator(xgboost.XGBClassifier(n_estimators=20), "three"),
    ("XGBoost: Pipeline of text and numbers, XGBRegressor", "regression"): estimator(
        columns(xgboost.XGBRegressor(n_estimators=20)), "amount", "customers"
    ),
    ("XGBoost: Booster", "two classes"): xgboost_booster,
    ("LightGBM: LGBMClassifier", "two classes"): estimator(lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), "two"),
    ("LightGBM: LGBMClassifier", "three classes"): estimator(
        lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), "three"
    ),
    ("LightGBM: LGBMRegressor", "regression"): estimator(lightgbm.LGBMRegressor(n_estimators=20, verbose=-1), "amount"),
    ("LightGBM: Booster", "regression"): lightgbm_booster,
    ("Keras: Sequential", "two classes"): keras_network("two", 1, "sigmoid", "binary_crossentropy"),
    ("Keras: Sequential", "three classes"): keras_network("three", 3, "softmax", "sparse_categorical_crossentropy"),
    ("Keras: Sequential", "regression"): keras_network("amount", 1, None, "mse"),
    ("PyTorch: Module", "two classes"): torch_network("classification", 1),
    ("PyTorch: Module", "three classes"): torch_network("classification", 3),
    ("PyTorch: Module", "regression"): torch_network("regression", 1),
}


@pytest.fixture(scope="module")
def data(customers: pd.DataFrame, numbers: pd.DataFrame, two: Any, three: Any, amount: Any) -> Data:
    return Data(customers, numbers, two, three, amount)


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    rows = ["| Model | Task | Computed in | Largest difference of 300 rows |", "|---|---|---|---|"]
    yield rows
    if request.config.getoption("verbose") > 0:
        print("\n" + "\n".join(rows))


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_runtime_answers_as_the_framework(
    case: tuple[str, str], data: Data, table: list[str], tmp_path: Path, serve: Any
) -> None:
    trained = CASES[case](data)
    saved = save_model(
        trained.model, tmp_path / "m", trained.metadata, preprocessor=trained.preprocessor, sample=trained.sample
    )
    names = [feature["name"] for feature in saved.metadata["features"]]
    frame = pd.DataFrame(trained.sample, columns=names)
    rows = json.loads(frame.to_json(orient="records", double_precision=15))
    answers = serve(tmp_path / "m").predict(rows)

    expected = np.asarray(trained.expected, dtype=np.float64).reshape(len(rows), -1)
    if case[1] == "regression":
        got = np.array([[answer["prediction"]] for answer in answers])
        difference = np.abs(got - expected) / np.maximum(1, np.abs(expected))
    else:
        got = np.array([list(answer["probabilities"].values()) for answer in answers])
        difference = np.abs(got - expected)
        labels = [saved.metadata["classes"][index] for index in expected.argmax(axis=1)]
        wrong = [row for row, answer in enumerate(answers) if answer["prediction"] != labels[row]]
        assert set(wrong) <= set(saved.ties)
    table.append(f"| {case[0]} | {case[1]} | {saved.precision} | {difference.max():.1e} |")
    assert difference.max() < 1e-4
