"""Writes forest.onnx, beside itself: `python forest.py`, with the packages of examples/loan/requirements.txt.

A random forest of 100 trees, eight levels deep, over 16 features, as scikit-learn trains it. Every random number comes
from a fixed seed, so that a second run writes the same bytes.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

FEATURES = 16
TOLERANCE = 1e-5

samples, labels = make_classification(n_samples=2_000, n_features=FEATURES, n_informative=10, random_state=1)
samples = samples.astype(np.float32)
forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=1).fit(samples, labels)
model = convert_sklearn(
    forest,
    name="forest",
    initial_types=[("features", FloatTensorType([None, FEATURES]))],
    final_types=[("label", Int64TensorType([None])), ("probabilities", FloatTensorType([None, 2]))],
    options={id(forest): {"zipmap": False}},
    target_opset={"": 21, "ai.onnx.ml": 3},
)
opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # skl2onnx lists them in a set's random order
del model.opset_import[:]
model.opset_import.extend(opsets)
exported = model.SerializeToString(deterministic=True)

session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
(answered,) = session.run(["probabilities"], {"features": samples})
difference = np.abs(answered - forest.predict_proba(samples)).max()
if difference > TOLERANCE:
    raise ValueError(f"ONNX Runtime and scikit-learn differ by {difference:.2g} (allowed: {TOLERANCE})")
(Path(__file__).parent / "forest.onnx").write_bytes(exported)
