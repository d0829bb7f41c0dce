"""Trains the two versions of the loan model and writes everything that serving them needs.

    python train.py [FOLDER]        (default: the folder of this script)

FOLDER gets 1.0.0/ and 2.0.0/, each with

    model.onnx         a random forest:  features float[N, 3] -> label int64[N], probabilities float[N, 2]
    preprocessor.onnx  its StandardScaler:  age, income, credit_score, each float[N, 1] -> features float[N, 3]
    metadata.json      what the model is: features, classes, metrics
    golden.json        applicants with the answers that scikit-learn itself gave

and configmaps.yaml, which carries the same bytes into a cluster.

The output is reproducible: every random number comes from a fixed seed and no clock is read, so with the packages of
requirements.txt a second run, in a fresh environment too, writes byte-identical files.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from configmaps import write_configmaps

FEATURES = [
    {"name": "age", "type": "integer"},
    {"name": "income", "type": "number"},
    {"name": "credit_score", "type": "integer"},
]
TARGET = "approved"
CLASSES = ["rejected", "approved"]  # the model's int64 labels are the positions in this list

OPSETS = {"": 21, "ai.onnx.ml": 3}
IR_VERSION = 10  # what ONNX defines for opset 21
TOLERANCE = 1e-5

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Version:
    """One training run. `created_at` is a constant, since a clock would make every run's bytes different."""

    version: str
    created_at: str
    seed: int
    applicants: int
    trees: int
    depth: int


VERSIONS = [
    Version("1.0.0", "2026-01-15T09:00:00Z", seed=11, applicants=400, trees=10, depth=3),
    Version("2.0.0", "2026-03-02T09:00:00Z", seed=22, applicants=8_000, trees=24, depth=5),
]

# Both versions are measured on the same applicants, which neither has seen.
HELD_OUT_SEED = 99
HELD_OUT_APPLICANTS = 4_000


def synthetic_applicants(count: int, seed: int) -> tuple[Floats, Labels]:
    """Applicants [count, 3] in the order of FEATURES, income in whole dollars a year, and whether each was approved."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 81, count)
    income = np.clip(np.round(48_000 * np.exp(random.normal(0.0, 0.5, count))), 8_000, 400_000)
    credit_score = np.clip(np.round(random.normal(660 + 0.8 * (age - 45), 80)), 300, 850)

    log_odds = 0.03 * (credit_score - 660) + 3.0 * np.log(income / 48_000) - 0.002 * (age - 45) ** 2 + 0.4
    approved = random.random(count) < 1 / (1 + np.exp(-log_odds))
    return np.column_stack([age, income, credit_score]).astype(np.float64), approved.astype(np.int64)


def train(version: Version) -> Pipeline:
    applicants, approved = synthetic_applicants(version.applicants, version.seed)
    forest = RandomForestClassifier(n_estimators=version.trees, max_depth=version.depth, random_state=version.seed)
    return Pipeline([("scaler", StandardScaler()), ("forest", forest)]).fit(applicants, approved)


def preprocessor_onnx(scaler: StandardScaler) -> ModelProto:
    """One input per feature, so that columns are fed by name and cannot be swapped.

    Written out, since skl2onnx scales in float32: scikit-learn does it in float64, and the difference, however small,
    can put a value on the other side of a tree's threshold.
    """
    columns = [feature["name"] for feature in FEATURES]
    graph = helper.make_graph(
        name="loan-preprocessor",
        inputs=[helper.make_tensor_value_info(column, TensorProto.FLOAT, ["N", 1]) for column in columns],
        outputs=[helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(columns)])],
        initializer=[numpy_helper.from_array(scaler.mean_, "mean"), numpy_helper.from_array(scaler.scale_, "scale")],
        nodes=[
            helper.make_node("Concat", columns, ["rows"], axis=1),
            helper.make_node("Cast", ["rows"], ["exact_rows"], to=TensorProto.DOUBLE),
            helper.make_node("Sub", ["exact_rows", "mean"], ["centered"]),
            helper.make_node("Div", ["centered", "scale"], ["scaled"]),
            helper.make_node("Cast", ["scaled"], ["features"], to=TensorProto.FLOAT),
        ],
    )
    opsets = [helper.make_opsetid("", OPSETS[""])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="slipway-loan-example")
    checker.check_model(model, full_check=True)
    return model


def model_onnx(forest: RandomForestClassifier) -> ModelProto:
    model: ModelProto = convert_sklearn(
        forest,
        name="loan-model",
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        final_types=[
            ("label", Int64TensorType([None])),
            ("probabilities", FloatTensorType([None, len(CLASSES)])),
        ],
        options={id(forest): {"zipmap": False}},  # a plain tensor, where ZipMap would answer a list of maps
        target_opset=OPSETS,
    )
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # skl2onnx lists them in a set's random order
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return model


def metadata(version: Version, pipeline: Pipeline, applicants: Floats, approved: Labels) -> dict[str, Any]:
    predicted = pipeline.predict(applicants)
    metrics = {
        "accuracy": accuracy_score(approved, predicted),
        "roc_auc": roc_auc_score(approved, pipeline.predict_proba(applicants)[:, 1]),
        "f1": f1_score(approved, predicted),
    }
    return {
        "model_type": "RandomForestClassifier",
        "version": version.version,
        "task": "classification",
        "features": FEATURES,
        "target": TARGET,
        "classes": CLASSES,
        "metrics": {name: round(float(value), 4) for name, value in metrics.items()},
        "created_at": version.created_at,
    }


def golden_applicants(held_out: Floats) -> Floats:
    """25 applicants: every corner far outside of the training data, incomes with cents, and ordinary ones."""
    corners = [[age, income, score] for age in (18, 100) for income in (0, 10_000_000) for score in (300, 850)]
    with_cents = [[37, 54_321.37, 661], [52, 0.01, 702]]
    return np.vstack([corners, with_cents, held_out[:15]])


def golden(pipeline: Pipeline, applicants: Floats) -> dict[str, Any]:
    """The requests and the answers, as a client of the deployed model sees them."""
    rows = zip(applicants, pipeline.predict(applicants), pipeline.predict_proba(applicants), strict=True)
    return {
        "rows": [
            {
                "input": {
                    feature["name"]: int(value) if feature["type"] == "integer" else float(value)
                    for feature, value in zip(FEATURES, applicant, strict=True)
                },
                "output": {
                    "prediction": CLASSES[label],
                    "probabilities": dict(zip(CLASSES, map(float, probabilities), strict=True)),
                },
            }
            for applicant, label, probabilities in rows
        ]
    }


def largest_difference(pipeline: Pipeline, preprocessor: ModelProto, model: ModelProto, applicants: Floats) -> float:
    """The largest difference between a probability of ONNX Runtime and scikit-learn's.

    Raises ValueError when it exceeds TOLERANCE or when a label differs: such a model must not be published.
    """
    columns = {feature["name"]: applicants[:, [index]].astype(np.float32) for index, feature in enumerate(FEATURES)}
    (features,) = session(preprocessor).run(["features"], columns)
    labels, probabilities = session(model).run(["label", "probabilities"], {"features": features})

    differences = np.abs(probabilities - pipeline.predict_proba(applicants)).max(axis=1)
    worst = int(differences.argmax())
    if differences[worst] > TOLERANCE:
        raise ValueError(
            f"ONNX Runtime and scikit-learn differ by {differences[worst]:.2g} (allowed: {TOLERANCE}) "
            f"on the applicant {dict(zip(columns, applicants[worst].tolist(), strict=True))}: the value lies on a "
            "tree's threshold, or the converter changed; choose another row or pin another skl2onnx"
        )
    differently_labelled = np.flatnonzero(labels != pipeline.predict(applicants))
    if differently_labelled.size > 0:
        applicant = applicants[differently_labelled[0]].tolist()
        raise ValueError(
            f"ONNX Runtime and scikit-learn choose different classes for {dict(zip(columns, applicant, strict=True))}: "
            "its probabilities tie; choose another row"
        )
    return float(differences[worst])


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def write_json(file: Path, document: dict[str, Any]) -> None:
    """JSON with one line per member or row: a diff of two versions then shows which of them changed."""
    members = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in value) + "\n  ]"
        else:
            text = json.dumps(value)
        members.append(f"  {json.dumps(key)}: {text}")
    file.write_text("{\n" + ",\n".join(members) + "\n}\n", encoding="utf-8")


def publish(version: Version, folder: Path) -> None:
    """Trains one version, checks it against scikit-learn and writes its folder."""
    pipeline = train(version)
    preprocessor = preprocessor_onnx(pipeline.named_steps["scaler"])
    model = model_onnx(pipeline.named_steps["forest"])

    held_out, approved = synthetic_applicants(HELD_OUT_APPLICANTS, HELD_OUT_SEED)
    applicants = golden_applicants(held_out)
    difference = largest_difference(pipeline, preprocessor, model, np.vstack([applicants, held_out]))
    described = metadata(version, pipeline, held_out, approved)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor.onnx").write_bytes(preprocessor.SerializeToString(deterministic=True))
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    write_json(folder / "metadata.json", described)
    write_json(folder / "golden.json", golden(pipeline, applicants))

    size = sum(file.stat().st_size for file in folder.iterdir())
    measured = ", ".join(f"{name} {value:.4f}" for name, value in described["metrics"].items())
    print(f"{version.version}: {measured}; {size / 1000:.0f} kB; at most {difference:.1e} away from scikit-learn")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for version in VERSIONS:
        publish(version, folder / version.version)
    write_configmaps(
        folder / "configmaps.yaml",
        {f"loan-v{version.version.split('.')[0]}": folder / version.version for version in VERSIONS},
    )


if __name__ == "__main__":
    main()
