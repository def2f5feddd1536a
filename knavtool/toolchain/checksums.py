"""Publishers' lists of sha256 sums, in the forms that are in use."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SUM = re.compile(r"[0-9a-fA-F]{64}")
_CHUNK = 1 << 20


def find_sum(text: str, filename: str) -> str | None:
    """The sum of `filename` in a list: `sha256sum` lines, one bare sum, or GitHub's description of a release."""
    if text.lstrip().startswith("{"):
        return _github(text, filename)
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return _valid(lines[0][0])
    for fields in lines:
        # A star marks binary mode; some publishers write ./ before the name.
        if len(fields) == 2 and fields[1].strip().lstrip("*").removeprefix("./") == filename:
            return _valid(fields[0])
    return None


def _github(text: str, filename: str) -> str | None:
    try:
        assets = json.loads(text).get("assets", [])
        digests = [str(asset.get("digest") or "") for asset in assets if asset.get("name") == filename]
    except (ValueError, AttributeError, TypeError):
        return None
    return _valid(digests[0].removeprefix("sha256:")) if digests else None


def _valid(text: str) -> str | None:
    return text.lower() if _SUM.fullmatch(text) else None


def digest_of(path: Path) -> tuple[hashlib._Hash, int]:
    """A hash that has read `path`, ready to read on, and how many bytes that were; an absent file is empty."""
    digest, size = hashlib.sha256(), 0
    if path.exists():
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    return digest, size
