"""Which values a chart knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.errors import RenderError
from knavtool.toolchain.chart_values import known_values, unknown_values
from support.chart_repository import packed, write_chart

VALUES = {
    "replicas": 1,
    "image": {"tag": "v1"},
    "extra": {},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "monitor": {"enabled": True},
}


def chart(directory: Path, **files: Any) -> Path:
    """A chart with values and, in `charts/`, one named inner, which is called `monitor`."""
    made = write_chart(directory)
    about = yaml.safe_load((made / "Chart.yaml").read_text())
    about["dependencies"] = [
        {"name": "inner", "version": "1.0.0", "alias": "monitor", "condition": "monitor.enabled"},
        {"name": "absent", "version": "1.0.0", "condition": "absent.enabled"},
    ]
    (made / "Chart.yaml").write_text(yaml.safe_dump(about))
    (made / "values.yaml").write_text(yaml.safe_dump(VALUES))
    inner = write_chart(made / "charts" / "inner", name="inner")
    (inner / "values.yaml").write_text("port: 80\n")
    for name, text in files.items():
        (made / name.replace("__", ".")).write_text(text)
    return made


@pytest.mark.parametrize("form", ["directory", "archive", "archive inside"])
@pytest.mark.parametrize(
    ("values", "unknown"),
    [
        ({"replicas": 2, "image": {"tag": "v2"}, "extra": {"any": 1}, "nodeSelector": {"type": "x"}}, []),
        ({"monitor": {"enabled": False, "port": 8080}, "absent": {"any": 1}, "global": {"any": 1}}, []),
        ({"replica": 2}, ["replica; did you mean 'replicas'?"]),
        ({"image": {"tga": "v2"}, "other": 1}, ["image.tga; did you mean 'tag'?", "other"]),
        ({"monitor": {"ports": 1}}, ["monitor.ports; did you mean 'port'?"]),
    ],
)
def test_values_that_a_chart_does_not_know(form: str, values: Any, unknown: list[str], tmp_path: Path) -> None:
    made = chart(tmp_path / "chart")
    if form == "archive inside":
        inner = made / "charts" / "inner"
        (made / "charts" / "inner-1.0.0.tgz").write_bytes(packed(inner, "inner"))
        for file in sorted(inner.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        inner.rmdir()
    if form != "directory":
        (tmp_path / "chart.tgz").write_bytes(packed(made))
        made = tmp_path / "chart.tgz"
    assert list(unknown_values(values, known_values(made))) == unknown


def test_a_schema_counts_too(tmp_path: Path) -> None:
    properties = {"size": {"type": "integer"}, "image": {"patternProperties": {"^x-": {}}}}
    made = chart(tmp_path / "chart", values__schema__json=json.dumps({"properties": properties}))
    values = {"size": 1, "image": {"x-any": 1}, "sizes": 1}
    assert list(unknown_values(values, known_values(made))) == ["sizes; did you mean 'size'?"]


def test_a_chart_without_values_takes_any(tmp_path: Path) -> None:
    assert list(unknown_values({"any": 1}, known_values(write_chart(tmp_path / "chart")))) == []


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "chart.tgz").write_bytes(b"no archive")
    with pytest.raises(RenderError, match=r"chart\.tgz: its values cannot be read"):
        known_values(tmp_path / "chart.tgz")
