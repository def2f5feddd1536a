"""Where knavtool keeps what is its user's: caches, data, configuration and state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def xdg_directory(environment: Mapping[str, str], variable: str, below_home: Path) -> Path:
    """Our directory below one of the XDG specification, which wants relative paths to be ignored."""
    given = Path(environment.get(variable, ""))
    base = given if given.is_absolute() else Path(environment.get("HOME") or Path.home()) / below_home
    return base / "knavtool"
