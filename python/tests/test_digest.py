from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import NODE, ROOT

from slipway import InvalidModelFolder, digest

if TYPE_CHECKING:
    from pathlib import Path


def runtimes_digest(place: Path) -> str:
    printed = subprocess.run(
        [str(NODE), "scripts/digest.ts", str(place)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return printed.stdout.split()[0]


def test_agrees_with_the_runtime_on_nested_folders_and_names_of_any_script(tmp_path: Path) -> None:
    for name in ["model.onnx", "ü.txt", "Z", "a b/é", "a/b/c.bin", "a.b", "日本/😀", "\uffee", "a-b", "z\uffff"]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode() * 3)
    (tmp_path / ".hidden").write_text("left out")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("left out")
    (tmp_path / "link").symlink_to(tmp_path / "model.onnx")
    (tmp_path / "a" / "above").symlink_to(tmp_path / "a")
    assert digest(tmp_path) == runtimes_digest(tmp_path)


def test_agrees_with_the_runtime_on_an_example_and_on_a_file() -> None:
    example = ROOT / "examples" / "loan" / "1.0.0"
    assert digest(example) == runtimes_digest(example)
    assert digest(example / "model.onnx") == runtimes_digest(example / "model.onnx")


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelFolder, match="no such file or folder; check the path"):
        digest(tmp_path / "none")
    with pytest.raises(InvalidModelFolder, match="has no files"):
        digest(tmp_path)
