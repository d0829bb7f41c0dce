"""metadata.json and golden.json, and the schemas that they must meet."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import numpy as np

from slipway.errors import InvalidMetadata, InvalidModelFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_SHOWN_PROBLEMS = 5


def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model's folder, or a metadata.json itself, says of the model; {} when the folder has no metadata.json.

    Keys that are null are left out, as the runtime does.
    Raises InvalidModelFolder when there is nothing at `path`, InvalidMetadata when it is no JSON or not of the schema.
    """
    place = Path(path)
    if not place.exists():
        raise InvalidModelFolder(f"reading the metadata of {place}: there is no such folder; check the path")
    file = place / "metadata.json" if place.is_dir() else place
    if not file.exists():
        return {}
    document = read_json(file)
    require_valid(document, "metadata", str(file))
    return {key: value for key, value in document.items() if value is not None}


def read_json(file: Path) -> Any:
    """Raises InvalidMetadata when the file is no JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidMetadata(f"reading {file}: it is not JSON: {error}") from error


def require_valid(document: Any, schema: Literal["metadata", "golden"], source: str) -> None:
    """Raises InvalidMetadata that names each wrong field."""
    problems = [
        f"{'.'.join(map(str, error.absolute_path)) or 'the document'}: {_deepest(error).message}"
        for error in _validator(schema).iter_errors(document)
    ]
    if not problems and schema == "metadata":
        problems = _twice(document)
    if problems:
        raise InvalidMetadata(f"checking {source}: {'; '.join(problems[:_SHOWN_PROBLEMS])}")


def plain_json(value: Any, where: str = "metadata") -> Any:
    """The value with numpy's scalars and arrays as JSON's own; NaN is null. Raises InvalidMetadata for what is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.ndarray):
        return plain_json(value.tolist(), where)
    if isinstance(value, list | tuple):
        return [plain_json(each, f"{where}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, dict):
        return {str(key): plain_json(each, f"{where}.{key}") for key, each in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise InvalidMetadata(f"writing {where}: JSON has no {type(value).__name__}; give text, numbers, lists or dicts")


def write_json(file: Path, document: Mapping[str, Any]) -> None:
    """With a line for each member, or for each row of a list of objects, so that a diff shows what changed."""
    members = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines = ",\n".join(f"    {_json(each)}" for each in value)
            members.append(f"  {_json(key)}: [\n{lines}\n  ]")
        else:
            members.append(f"  {_json(key)}: {_json(value)}")
    file.write_text("{\n" + ",\n".join(members) + "\n}\n", encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    text = resources.files("slipway.schemas").joinpath(f"{schema}.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def _deepest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of the alternatives of a schema the one that says most."""
    return jsonschema.exceptions.best_match([error]) or error


def _twice(document: Mapping[str, Any]) -> list[str]:
    """Names and labels that JSON Schema does not see to be the same."""
    names = [each if isinstance(each, str) else each["name"] for each in document.get("features") or []]
    labels = [str(each) for each in document.get("classes") or []]
    problems = []
    if len(set(names)) < len(names):
        problems.append("features: two features have the same name")
    if len(set(labels)) < len(labels):
        problems.append("classes: two classes have the same label")
    return problems
