"""Writes model folders as ConfigMaps, so that a small model reaches any cluster without storage."""

from base64 import b64encode
from pathlib import Path
from textwrap import indent

BINARY_FILES = ("model.onnx", "preprocessor.onnx")
TEXT_FILES = ("metadata.json", "golden.json")

# A ConfigMap may hold 1 MiB, but `kubectl apply` keeps a copy of it in an annotation, and those may hold 256 KiB.
# The copy is JSON, whose escapes make it a little longer than the YAML measured here.
MAX_BYTES = 240 * 1024


def write_configmaps(file: Path, folders: dict[str, Path]) -> None:
    """One ConfigMap per model folder, by name. Raises ValueError for a folder that kubectl could not apply."""
    file.write_text("---\n".join(configmap(name, folder) for name, folder in folders.items()), encoding="utf-8")


def configmap(name: str, folder: Path) -> str:
    manifest = "\n".join(
        [
            "apiVersion: v1",
            "kind: ConfigMap",
            "metadata:",
            f"  name: {name}",
            "binaryData:",
            *(f"  {file}: {b64encode((folder / file).read_bytes()).decode('ascii')}" for file in BINARY_FILES),
            "data:",
            *(f"  {file}: |\n{indent((folder / file).read_text('utf-8').rstrip(), '    ')}" for file in TEXT_FILES),
            "",
        ]
    )
    if len(manifest) > MAX_BYTES:
        raise ValueError(
            f"{folder} makes a ConfigMap of {len(manifest)} bytes, too large for kubectl apply (at most {MAX_BYTES}): "
            "train fewer or shallower trees, or serve it from s3://"
        )
    return manifest
