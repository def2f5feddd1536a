"""A module proxy in a directory, and the sum that Go gives to a module."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path


def publish(proxy: Path, module: str, version: str, files: Mapping[str, str]) -> str:
    """Put a module where `GOPROXY=file://PROXY` finds it; returns its h1 sum."""
    folder = proxy / module / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.info").write_text(json.dumps({"Version": version}))
    (folder / f"{version}.mod").write_text(files["go.mod"])
    contents = {}
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        for path, text in sorted(files.items()):
            name = f"{module}@{version}/{path}"
            archive.writestr(name, text)
            contents[name] = text
    return _sum(contents)


def go_sum(module: str, version: str, total: str, files: Mapping[str, str]) -> str:
    """The lines of a go.sum for a module whose sum is known."""
    return f"{module} {version} {total}\n{module} {version}/go.mod {_sum({'go.mod': files['go.mod']})}\n"


def _sum(contents: Mapping[str, str]) -> str:
    lines = [f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in contents.items()]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()
