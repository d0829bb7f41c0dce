"""Trains a small PyTorch network that answers one raw logit, and exports it; metadata.json says how it becomes a label.

    python train.py [FOLDER]        (default: model/ beside this script)

FOLDER gets model.onnx, metadata.json and golden.json. The output is reproducible on one kind of CPU: every random number
comes from a fixed seed, and PyTorch computes in one thread.
"""

import json
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

FEATURES = ["temperature", "vibration", "pressure", "speed", "age_days"]
CLASSES = ["healthy", "faulty"]
# A missed fault costs more than a needless inspection.
THRESHOLD = 0.3
TOLERANCE = 1e-5


class FaultNetwork(nn.Module):
    """[N, 5] sensor values in their own units -> [N, 1] log-odds of a fault. It standardises its inputs itself."""

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.layers = nn.Sequential(nn.Linear(len(FEATURES), 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, sensors: torch.Tensor) -> torch.Tensor:
        return self.layers((sensors - self.mean) / self.scale)


def machines(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sensor values [count, 5] in the order of FEATURES, and whether each machine failed within a day, as 0 or 1."""
    random = np.random.default_rng(seed)
    sensors = np.column_stack(
        [
            random.normal(65, 9, count),
            random.gamma(3, 0.8, count),
            random.normal(101, 4, count),
            random.normal(1500, 120, count),
            random.integers(0, 2000, count),
        ]
    )
    temperature, vibration, pressure, speed, age = sensors.T
    log_odds = 0.15 * (temperature - 72) + 0.9 * (vibration - 3) + 0.002 * abs(speed - 1500) * (age / 1000) - 1
    failed = random.random(count) < 1 / (1 + np.exp(-log_odds))
    return torch.tensor(np.round(sensors, 2), dtype=torch.float32), torch.tensor(failed, dtype=torch.float32)


def train(sensors: torch.Tensor, failed: torch.Tensor) -> FaultNetwork:
    network = FaultNetwork(sensors.mean(0), sensors.std(0))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(sensors)[:, 0], failed).backward()
        optimizer.step()
    return network.eval()


def golden_machines() -> torch.Tensor:
    """Machines that were not trained on, and values far outside of the training data."""
    sensors, _ = machines(20, seed=7)
    sensors[0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0])
    sensors[1] = torch.tensor([120.0, 12.0, 130.0, 3000.0, 5000.0])
    return sensors


def drop_traces(file: Path) -> None:
    """The exporter notes on every node from which line of which file, on this machine, it came."""
    model = onnx.load(file)
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    onnx.save(model, file)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = train(*machines(4_000, seed=1))
    held_out, truth = machines(4_000, seed=2)

    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network,
        (held_out[:2],),
        str(folder / "model.onnx"),
        input_names=["sensors"],
        output_names=["logit"],
        dynamic_shapes={"sensors": {0: torch.export.Dim("N")}},
        external_data=False,
        dynamo=True,
    )
    drop_traces(folder / "model.onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    compared = torch.cat([held_out, golden_machines()])
    (logits,) = session.run(None, {"sensors": compared.numpy()})
    with torch.no_grad():
        shares = torch.sigmoid(network(compared).double())[:, 0]
    difference = float((torch.sigmoid(torch.tensor(logits, dtype=torch.float64))[:, 0] - shares).abs().max())
    if difference > TOLERANCE:
        sys.exit(f"ONNX Runtime and PyTorch differ by {difference:.2g}")

    predicted = shares[: len(truth)] >= THRESHOLD
    metrics = {
        "accuracy": round(float((predicted == truth.bool()).float().mean()), 4),
        "recall": round(float(predicted[truth.bool()].float().mean()), 4),
    }
    metadata = {
        "model_type": "FaultNetwork (PyTorch)",
        "version": "1.0.0",
        "task": "classification",
        "features": FEATURES,
        "target": "fails_within_a_day",
        "classes": CLASSES,
        "output": {"tensor": "logit", "activation": "sigmoid", "threshold": THRESHOLD},
        "metrics": metrics,
        "created_at": "2026-04-20T09:00:00Z",
    }
    golden = {
        "rows": [
            {
                "input": dict(zip(FEATURES, row.tolist())),
                "output": {
                    "prediction": CLASSES[int(share >= THRESHOLD)],
                    "probabilities": dict(zip(CLASSES, [1 - float(share), float(share)])),
                },
            }
            for row, share in zip(golden_machines(), shares[len(truth) :])
        ]
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    size = (folder / "model.onnx").stat().st_size
    print(f"{metrics}; {size / 1000:.0f} kB; at most {difference:.1e} away from PyTorch")


if __name__ == "__main__":
    main()
