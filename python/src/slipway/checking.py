"""Whether a folder is one that the runtime would serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway.comparison import Tolerance
from slipway.errors import InvalidModelFolder
from slipway.metadata import read_json, require_valid
from slipway.served import Answers, ServedModel, key_of

if TYPE_CHECKING:
    import os


def check_folder(path: str | os.PathLike[str]) -> int:
    """Opens a model's folder and asks it the rows of its golden.json; returns how many there are.

    Raises InvalidModelFolder for graphs that do not open, features that do not fit them, and rows that are answered
    otherwise; InvalidMetadata for documents that are not of their schemas.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidModelFolder(f"checking {folder}: there is no such folder; check the path")
    served = ServedModel(folder)
    file = folder / "golden.json"
    if not file.exists():
        return 0
    golden = read_json(file)
    require_valid(golden, "golden", str(file))
    rows = golden["rows"]
    if not rows:
        return 0
    answers = served.answers(_feeds(served, [row["input"] for row in rows], file))
    given = golden.get("tolerance") or {}
    tolerance = Tolerance(**{key: given[key] for key in ("absolute", "relative") if key in given})
    wrong = [
        f"row {index}: expected {row['output']}, got {answers.json(index)}"
        for index, row in enumerate(rows)
        if not _fits(row["output"], answers, index, tolerance)
    ]
    if wrong:
        raise InvalidModelFolder(
            f"checking {file}: {len(wrong)} of {len(rows)} rows are answered otherwise: {'; '.join(wrong[:3])}; "
            "save the model again, so that both are of one training"
        )
    return len(rows)


def _feeds(served: ServedModel, inputs: list[dict[str, Any]], file: Path) -> dict[str, Any]:
    names = (
        [feature["name"] for feature, _ in served.features]
        if served.features is not None
        else [each.name for each in served.inputs]
    )
    for index, row in enumerate(inputs):
        absent = [name for name in names if name not in row]
        if absent:
            raise InvalidModelFolder(
                f"checking {file}: row {index} has no {', '.join(absent)}; the model takes {names}"
            )
    if served.features is None:
        return {each.name: np.array([row[each.name] for row in inputs], served.element(each)) for each in served.inputs}
    return served.feeds({name: np.array([row[name] for row in inputs], dtype=object) for name in names})


def _fits(expected: dict[str, Any], answers: Answers, row: int, tolerance: Tolerance) -> bool:
    """What is not stated is not compared."""
    got = answers.json(row)
    pairs = [] if _is_tie(expected, got["prediction"], tolerance) else [(expected["prediction"], got["prediction"])]
    if "probability" in expected:
        pairs.append((expected["probability"], answers.probability(row)))
    stated = expected.get("probabilities")
    if stated is not None:
        found = got.get("probabilities")
        if isinstance(stated, dict) and isinstance(found, dict):
            pairs += [(share, found.get(label)) for label, share in stated.items()]
        else:
            pairs.append((stated, found))
    return all(_near(wanted, found, tolerance) for wanted, found in pairs)


def _is_tie(expected: dict[str, Any], label: Any, tolerance: Tolerance) -> bool:
    """Whether two labels are as likely as each other: then another CPU's last bit may decide."""
    stated = expected.get("probabilities")
    shares = stated if isinstance(stated, dict) else {str(index): share for index, share in enumerate(stated or [])}
    one, other = (shares.get(key_of(each)) for each in (expected["prediction"], label))
    return one is not None and other is not None and _near(one, other, tolerance)


def _near(wanted: Any, found: Any, tolerance: Tolerance) -> bool:
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_near, wanted, found, [tolerance] * len(wanted)))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_near(value, found.get(key), tolerance) for key, value in wanted.items())
    if isinstance(wanted, int | float) and isinstance(found, int | float) and not isinstance(wanted, bool):
        return bool(tolerance.allows(np.array(float(wanted)), np.array(float(found))).all())
    return bool(wanted == found) or (wanted is None and isinstance(found, float) and bool(np.isnan(found)))
