"""Trains a small Keras convolutional network on scikit-learn's handwritten digits, and exports it.

    python train.py [FOLDER]        (default: model/ beside this script)

FOLDER gets model.onnx, metadata.json and golden.json. A row is the 64 pixels of an 8 x 8 image, from 0 (white) to 16; the
network scales and reshapes them itself, and answers ten raw logits, of which metadata.json makes a digit.
"""

import json
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from sklearn.datasets import load_digits

PIXELS = [f"p{row}{column}" for row in range(8) for column in range(8)]
CLASSES = [str(digit) for digit in range(10)]
TOLERANCE = 1e-5


def network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((64,), name="pixels", dtype="float32"),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, name="logits"),
        ]
    )


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()
    digits = load_digits()
    pixels, labels = digits.data.astype(np.float32), digits.target
    train, held_out = slice(0, 1_400), slice(1_400, None)

    model = network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(pixels[train], labels[train], epochs=40, batch_size=32, verbose=0)

    folder.mkdir(parents=True, exist_ok=True)
    model.export(
        str(folder / "model.onnx"),
        format="onnx",
        verbose=False,
        input_signature=[keras.InputSpec(shape=(None, 64), dtype="float32", name="pixels")],
    )
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    (feed,), (fetch,) = session.get_inputs(), session.get_outputs()
    (answers,) = session.run(None, {feed.name: pixels[held_out]})
    expected = model.predict(pixels[held_out], verbose=0)
    shares = keras.ops.convert_to_numpy(keras.ops.softmax(expected.astype(np.float64)))
    exported = keras.ops.convert_to_numpy(keras.ops.softmax(answers.astype(np.float64)))
    difference = float(np.abs(exported - shares).max())
    if difference > TOLERANCE:
        sys.exit(f"ONNX Runtime and Keras differ by {difference:.2g}")

    metrics = {"accuracy": round(float((expected.argmax(1) == labels[held_out]).mean()), 4)}
    metadata = {
        "model_type": "Sequential (Keras)",
        "version": "1.0.0",
        "task": "classification",
        "features": PIXELS,
        "target": "digit",
        "classes": CLASSES,
        "output": {"tensor": fetch.name, "activation": "softmax"},
        "metrics": metrics,
        "created_at": "2026-04-20T09:00:00Z",
    }
    golden = {
        "rows": [
            {
                "input": dict(zip(PIXELS, row.tolist())),
                "output": {
                    "prediction": CLASSES[int(share.argmax())],
                    "probabilities": dict(zip(CLASSES, map(float, share))),
                },
            }
            for row, share in zip(pixels[held_out][:20], shares[:20])
        ]
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    size = (folder / "model.onnx").stat().st_size
    print(f"{metrics}; {size / 1000:.0f} kB; at most {difference:.1e} away from Keras")


if __name__ == "__main__":
    main()
