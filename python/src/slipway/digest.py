"""The SHA-256 by which a ModelDeployment pins a model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from slipway.errors import InvalidModelFolder

_CHUNK_BYTES = 1024**2


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256, in hex, of a model's folder or of a single file (an archive, a .onnx), as the runtime computes it.

    That of a folder is the SHA-256 of what `sha256sum` prints for its files, sorted bytewise by path. Dot files are left
    out; links are followed.

    Raises InvalidModelFolder when there is nothing at `path`, or no file in it.
    """
    place = Path(path)
    if place.is_file():
        return _file_digest(place)
    if not place.is_dir():
        raise InvalidModelFolder(f"computing the digest of {place}: there is no such file or folder; check the path")
    files = sorted(_files(place), key=os.fsencode)
    if not files:
        raise InvalidModelFolder(f"computing the digest of {place}: the folder has no files; check the path")
    lines = hashlib.sha256()
    for file in files:
        lines.update(f"{_file_digest(place / file)}  ".encode() + os.fsencode(file) + b"\n")
    return lines.hexdigest()


def _files(folder: Path) -> list[str]:
    """Paths relative to the folder, with `/`."""
    found: list[str] = []
    visited: set[tuple[int, int]] = set()

    def visit(prefix: str) -> None:
        for name in os.listdir(folder / prefix):  # noqa: PTH208 - names alone, which prefixes are put before
            if name.startswith("."):
                continue
            place = folder / prefix / name
            if place.is_dir():
                stats = place.stat()
                identity = (stats.st_dev, stats.st_ino)
                if identity not in visited:  # else a link to a folder above
                    visited.add(identity)
                    visit(f"{prefix}{name}/")
            elif place.is_file():
                found.append(prefix + name)

    visit("")
    return found


def _file_digest(file: Path) -> str:
    content = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            content.update(chunk)
    return content.hexdigest()
