"""An environment for tests that is not the user's: own home, kubeconfig and data, but the shared cache of programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Every process a test starts carries this variable, also one that has left its parent.
MARKER = "KNAVTOOLTEST_SESSION"
# Where programs come from is the machine's business, so these stay.
KEPT = ("KNAVTOOL_MIRROR", "KNAVTOOL_OFFLINE", "KNAVTOOL_SOURCE", "KNAVTOOL_REQUIRE_NODE")


def isolated(directory: Path, given: Mapping[str, str]) -> dict[str, str]:
    """What `given` becomes for a test that may write below `directory` only."""
    kept = {
        key: value
        for key, value in given.items()
        if not key.startswith(("KNAVTOOL_", "XDG_", "HELM_", "KWOK_", "PYTHON", "GITHUB_"))
        or key in KEPT
        or (key.startswith("KNAVTOOL_") and key.endswith("_BINARY"))
    }
    return kept | {
        "HOME": str(directory / "home"),
        "KUBECONFIG": str(directory / "kubeconfig"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "XDG_DATA_HOME": str(directory / "data"),
        "XDG_STATE_HOME": str(directory / "state"),
        "XDG_CACHE_HOME": str(cache_home(given)),
        "TERM": "dumb",
    }


def cache_home(given: Mapping[str, str]) -> Path:
    """The user's real cache: programs take minutes to build, and their cache is safe to share."""
    return Path(given.get("XDG_CACHE_HOME") or Path(given["HOME"]) / ".cache")


def tool_settings(given: Mapping[str, str]) -> dict[str, str]:
    """The settings that Go, pip and npm would otherwise look for in the user's home: caches, proxies, package index."""
    found: dict[str, str] = {}
    if go := shutil.which("go", path=given.get("PATH")):
        names = ("GOENV", "GOPATH", "GOMODCACHE", "GOCACHE")
        values = subprocess.run([go, "env", *names], capture_output=True, text=True, check=True, env=dict(given)).stdout
        found = {name: value for name, value in zip(names, values.splitlines(), strict=True) if value}
    home = Path(given["HOME"])
    places = [Path(given.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf", home / ".pip/pip.conf"]
    if "PIP_CONFIG_FILE" not in given:
        for place in filter(Path.is_file, places):
            found["PIP_CONFIG_FILE"] = str(place)
    return found


def make_directories(environment: Mapping[str, str]) -> None:
    """The home must exist; everything else is made by the program under test."""
    Path(environment["HOME"]).mkdir(parents=True, exist_ok=True)


def current() -> dict[str, str]:
    """A copy of the environment of this process."""
    return dict(os.environ)
