"""What a directory with a kustomization stands for, by the kustomize that is built into kubectl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.toolchain.fetch import Unavailable
from knavtool.toolchain.processes import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The sources are verified, so nothing they refer to may come from elsewhere: kustomize would run git, or ask by HTTP.
_WITHOUT_NETWORK = {
    "GIT_ALLOW_PROTOCOL": "none",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "",
}


async def kustomize(kubectl: Path, directory: Path, *, environment: Mapping[str, str]) -> str:
    """The manifests as YAML; raises Unavailable with kustomize's complaint."""
    if not directory.is_dir():
        raise Unavailable(f"{directory} does not exist")
    finished = await run([str(kubectl), "kustomize", str(directory)], environment={**environment, **_WITHOUT_NETWORK})
    if finished.code != 0:
        complaint = finished.stderr.strip() or "it said nothing"
        raise Unavailable(f"kubectl kustomize failed (exit code {finished.code}): {complaint}")
    return finished.stdout
