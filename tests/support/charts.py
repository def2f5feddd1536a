"""The chart `knavtool`, handled with Helm as its users do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from knavtool import resources
from support.programs import program

CHART = resources.chart("knavtool")

Objects = dict[tuple[str, str], dict[str, Any]]


def helm(*args: str | Path, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm with values on its standard input."""
    command = [str(program("helm")), *map(str, args), "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, timeout=60)


def render(values: Mapping[str, Any], *, release: str = "test", namespace: str = "tests") -> Objects:
    """The objects of a release by (kind, name); those with a namespace of their own by (kind, namespace/name)."""
    done = helm("template", release, CHART, "--namespace", namespace, values=values)
    assert done.returncode == 0, done.stderr
    found: Objects = {}
    for item in filter(None, yaml.safe_load_all(done.stdout)):
        place = item["metadata"].get("namespace", namespace)
        name = item["metadata"]["name"]
        found[item["kind"], name if place == namespace else f"{place}/{name}"] = item
    return found


def refusal(values: Mapping[str, Any]) -> str:
    """What Helm says of values that the chart does not take."""
    done = helm("template", "test", CHART, values=values)
    assert done.returncode != 0
    return done.stderr
