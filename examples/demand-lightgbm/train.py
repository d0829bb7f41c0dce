"""Trains a LightGBM regressor and exports it: one matrix whose columns are the features.

    python train.py [FOLDER]        (default: model/ beside this script)

FOLDER gets model.onnx, metadata.json and golden.json. The output is reproducible: every random number comes from a fixed
seed, and one thread sums in a fixed order.
"""

import json
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import lightgbm
import numpy as np
import onnxruntime
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.metrics import mean_absolute_error, r2_score

FEATURES = [
    {"name": "hour", "type": "integer"},
    {"name": "weekday", "type": "integer"},
    {"name": "temperature", "type": "number", "nullable": True},
    {"name": "rain", "type": "boolean"},
]
# The graph adds up its 120 trees, of up to hundreds of bikes, in float32, which has seven digits.
RELATIVE_TOLERANCE = 1e-4


def hours(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hours [count, 4] in the order of FEATURES, some without a temperature, and the bikes that were rented."""
    random = np.random.default_rng(seed)
    hour = random.integers(0, 24, count)
    weekday = random.integers(0, 7, count)
    temperature = np.round(random.normal(14, 9, count) * 4) / 4  # quarters of a degree: exact in float32 too
    rain = random.random(count) < 0.2
    rush = np.exp(-((hour - 8) ** 2) / 4) + np.exp(-((hour - 17) ** 2) / 6)
    demand = 40 + 260 * rush * np.where(weekday < 5, 1, 0.4) + 5 * np.clip(temperature, -5, 25)
    demand = np.clip(demand * np.where(rain, 0.6, 1) + random.normal(0, 10, count), 0, None)
    measured = np.where(random.random(count) < 0.05, np.nan, temperature)
    return np.column_stack([hour, weekday, measured, rain]).astype(np.float64), demand


def golden_hours() -> np.ndarray:
    """Hours that were not trained on, extremes, and a missing temperature."""
    rows, _ = hours(20, seed=7)
    rows[0] = [23, 6, -80, 1]
    rows[1] = [0, 0, 80, 0]
    rows[2, 2] = np.nan
    return rows


def fields(row: np.ndarray) -> dict:
    hour, weekday, temperature, rain = row.tolist()
    return {
        "hour": int(hour),
        "weekday": int(weekday),
        "temperature": None if np.isnan(temperature) else temperature,
        "rain": bool(rain),
    }


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
    rows, demand = hours(8_000, seed=1)
    held_out, truth = hours(4_000, seed=2)
    model = lightgbm.LGBMRegressor(
        n_estimators=120, num_leaves=15, learning_rate=0.1, n_jobs=1, deterministic=True, random_state=1, verbose=-1
    ).fit(rows, demand)

    exported = convert_lightgbm(
        model, "demand", [("features", FloatTensorType([None, len(FEATURES)]))], target_opset=15
    )
    opsets = sorted(exported.opset_import, key=lambda opset: opset.domain)  # listed in a set's random order
    del exported.opset_import[:]
    exported.opset_import.extend(opsets)
    graph = exported.SerializeToString(deterministic=True)

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    compared = np.concatenate([held_out, golden_hours()])
    (answers,) = session.run(None, {"features": compared.astype(np.float32)})
    expected = model.predict(compared)
    difference = float((np.abs(answers[:, 0] - expected) / np.maximum(np.abs(expected), 1)).max())
    if difference > RELATIVE_TOLERANCE:
        sys.exit(f"ONNX Runtime and LightGBM differ by {difference:.2g} of the value")

    predicted = model.predict(held_out)
    metrics = {
        "mae": round(float(mean_absolute_error(truth, predicted)), 3),
        "r2": round(float(r2_score(truth, predicted)), 4),
    }
    metadata = {
        "model_type": "LGBMRegressor",
        "version": "1.0.0",
        "task": "regression",
        "features": FEATURES,
        "target": "bikes_per_hour",
        "metrics": metrics,
        "created_at": "2026-04-20T09:00:00Z",
    }
    pairs = zip(golden_hours(), model.predict(golden_hours()))
    golden = {"rows": [{"input": fields(row), "output": {"prediction": float(value)}} for row, value in pairs]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{metrics}; {len(graph) / 1000:.0f} kB; at most {difference:.1e} of the value away from LightGBM")


if __name__ == "__main__":
    main()
