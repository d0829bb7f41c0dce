"""A model's folder appears whole, or not at all."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.errors import FolderInUse

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_FILES = {"model.onnx", "preprocessor.onnx", "metadata.json", "golden.json"}
_EXCHANGE = 2
_AT_FDCWD = -100


def require_free(path: str | os.PathLike[str]) -> Path:
    """The folder to save to: absent, empty, or a model's that save_model wrote.

    Raises FolderInUse for what holds anything else, since saving would delete it.
    """
    text = os.fspath(path)
    if "://" in text:
        raise FolderInUse(
            f"saving to {text}: models are saved to folders of this machine; save to one and copy it there"
        )
    place = Path(text).resolve()
    if not place.exists():
        return place
    if not place.is_dir():
        raise FolderInUse(f"saving to {place}: there is a file of that name; choose another place, or remove it")
    names = {entry.name for entry in place.iterdir()}
    others = sorted(name for name in names if name not in _OWN_FILES and not name.endswith(".onnx.data"))
    if others or (names and "model.onnx" not in names):
        shown = ", ".join((others or sorted(names))[:5])
        raise FolderInUse(
            f"saving to {place}: the folder holds {shown}, which save_model did not write and would delete; choose "
            "another place, or remove it"
        )
    return place


@contextmanager
def written_whole(place: Path) -> Iterator[Path]:
    """A new folder beside `place`, which takes its place at the end; nothing is left of it after an error."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    new.mkdir()  # unlike a temporary folder's its rights are the umask's: others read models
    try:
        yield new
        if place.exists():
            _replace(new, place)
        else:
            new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace(new: Path, place: Path) -> None:
    """The former folder is at `new` afterwards, or gone."""
    if _exchange(new, place):
        return
    former = place.with_name(f"{new.name}.former")
    place.rename(former)
    try:
        new.rename(place)
    except OSError:
        former.rename(place)
        raise
    shutil.rmtree(former)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two folders in one step, where the system can: whoever reads meets one or the other."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0
