"""Trains the loan model and pickles it, as many a team has it already: no ONNX, no metadata.

    python train.py [FILE]        (default: model.joblib beside this script)
"""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 33
APPLICANTS = 8_000


def synthetic_applicants(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Applicants [count, 3] (age, income, credit_score), and whether each was approved."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 81, count)
    income = np.clip(np.round(48_000 * np.exp(random.normal(0.0, 0.5, count))), 8_000, 400_000)
    credit_score = np.clip(np.round(random.normal(660 + 0.8 * (age - 45), 80)), 300, 850)
    log_odds = 0.03 * (credit_score - 660) + 3.0 * np.log(income / 48_000) - 0.002 * (age - 45) ** 2 + 0.4
    approved = random.random(count) < 1 / (1 + np.exp(-log_odds))
    return np.column_stack([age, income, credit_score]), np.where(approved, "approved", "rejected")


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("model.joblib")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*synthetic_applicants(APPLICANTS, SEED))
    joblib.dump(model, file)
    print(f"wrote {file}, accuracy {model.score(*synthetic_applicants(4_000, SEED + 1)):.3f}")
