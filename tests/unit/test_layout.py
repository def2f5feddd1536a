"""The layout of the code: what import-linter does not check."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "knavtool"
MOST_LINES = 300


def test_no_module_is_longer_than_a_reader_keeps_in_mind() -> None:
    lines = {str(file.relative_to(PACKAGE)): len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}


def test_no_package_is_empty() -> None:
    directories = {file.parent for file in PACKAGE.rglob("*.py")}
    for directory in directories:
        others = [file for file in directory.iterdir() if file.name not in ("__init__.py", "__pycache__")]
        assert others, f"{directory.relative_to(PACKAGE)} holds nothing but __init__.py"
