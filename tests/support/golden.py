"""Files that hold what a command should print; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

_DIRECTORY = Path(__file__).resolve().parents[1] / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with `tests/golden/NAME`."""
    path = _DIRECTORY / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} differs; UPDATE_GOLDEN=1 writes it anew"
