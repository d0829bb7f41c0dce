"""Trains a scikit-learn pipeline on columns of text and numbers, and exports it whole: one graph input for each column.

    python train.py [FOLDER]        (default: model/ beside this script)

FOLDER gets model.onnx, metadata.json and golden.json. The encoders, the imputer and the scaler are part of the graph, so
that clients send the columns as they are. The output is reproducible: every random number comes from a fixed seed.
"""

import json
import math
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

WORDS = {
    "contract": ["monthly", "one year", "two years"],
    "payment": ["card", "invoice", "debit"],
    "region": ["north", "south", "west", "Übersee"],
}
NUMBERS = ["tenure_months", "monthly_charge", "support_calls"]
CLASSES = ["stays", "leaves"]
TOLERANCE = 1e-5


def customers(count: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers, some with an unknown monthly charge, and whether each left."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {name: random.choice(np.array(words, dtype=object), count) for name, words in WORDS.items()}
        | {
            "tenure_months": random.integers(0, 73, count).astype(float),
            "monthly_charge": np.round(random.gamma(6.0, 11.0, count), 2),
            "support_calls": random.poisson(1.2, count).astype(float),
        }
    )
    log_odds = (
        1.4 * (frame["contract"] == "monthly")
        - 1.0 * (frame["contract"] == "two years")
        + 0.5 * (frame["payment"] == "invoice")
        - 0.03 * frame["tenure_months"]
        + 0.015 * frame["monthly_charge"]
        + 0.5 * frame["support_calls"]
        - 1.6
    )
    left = random.random(count) < 1 / (1 + np.exp(-log_odds))
    frame.loc[random.random(count) < 0.05, "monthly_charge"] = np.nan
    return frame, np.array(CLASSES, dtype=object)[left.astype(int)]


def train(frame: pd.DataFrame, outcome: np.ndarray) -> Pipeline:
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), list(WORDS)), ("numbers", numbers, NUMBERS)]
    )
    return Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(frame, outcome)


def export(pipeline: Pipeline) -> bytes:
    inputs = [(name, StringTensorType([None, 1])) for name in WORDS]
    inputs += [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    model = to_onnx(
        pipeline,
        initial_types=inputs,
        options={id(pipeline): {"zipmap": False}},  # a plain tensor, where ZipMap would answer a list of maps
        target_opset={"": 21, "ai.onnx.ml": 3},
    )
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # listed in a set's random order
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return model.SerializeToString(deterministic=True)


def golden_customers() -> pd.DataFrame:
    """Customers that were not trained on, a word that was never seen, extremes, and a missing number."""
    frame, _ = customers(20, seed=7)
    frame.loc[0, "region"] = "moon"
    frame.loc[1, ["tenure_months", "monthly_charge", "support_calls"]] = [600, 10_000, 50]
    frame.loc[2, "monthly_charge"] = np.nan
    return frame


def golden(pipeline: Pipeline, frame: pd.DataFrame) -> dict:
    labels = pipeline.predict(frame)
    shares = pipeline.predict_proba(frame)
    names = [str(name) for name in pipeline.classes_]
    return {
        "rows": [
            {
                "input": {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()},
                "output": {"prediction": label, "probabilities": dict(zip(names, map(float, share)))},
            }
            for row, label, share in zip(frame.to_dict("records"), labels, shares)
        ]
    }


def check(graph: bytes, pipeline: Pipeline, frame: pd.DataFrame) -> float:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feeds = {name: frame[[name]].to_numpy(object) for name in WORDS}
    feeds |= {name: frame[[name]].to_numpy(np.float32) for name in NUMBERS}
    _, shares = session.run(None, feeds)
    return float(np.abs(shares - pipeline.predict_proba(frame)).max())


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
    frame, outcome = customers(4_000, seed=1)
    held_out, truth = customers(4_000, seed=2)
    pipeline = train(frame, outcome)
    graph = export(pipeline)
    difference = max(check(graph, pipeline, rows) for rows in (held_out, golden_customers()))
    if difference > TOLERANCE:
        sys.exit(f"ONNX Runtime and scikit-learn differ by {difference:.2g}")
    metrics = {
        "accuracy": round(accuracy_score(truth, pipeline.predict(held_out)), 4),
        "roc_auc": round(roc_auc_score(truth == pipeline.classes_[1], pipeline.predict_proba(held_out)[:, 1]), 4),
    }
    metadata = {
        "model_type": "Pipeline(OneHotEncoder, SimpleImputer, StandardScaler, LogisticRegression)",
        "version": "1.0.0",
        "task": "classification",
        "features": [{"name": name, "type": "string"} for name in WORDS]
        + [{"name": name, "type": "number", "nullable": True} for name in NUMBERS],
        "target": "outcome",
        "classes": [str(name) for name in pipeline.classes_],
        "metrics": metrics,
        "created_at": "2026-04-20T09:00:00Z",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
    rows = golden(pipeline, golden_customers())
    (folder / "golden.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    print(f"{metrics}; {len(graph) / 1000:.0f} kB; at most {difference:.1e} away from scikit-learn")


if __name__ == "__main__":
    main()
