"""Measures and tables as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from knavtool.measure.table import Measure, Measured
from knavtool.report.measured import csv_files, json_file, markdown_file
from knavtool.report.measured.numbers import cell, text, value_and_unit
from support import measured as made_up


@pytest.fixture(scope="module")
def run() -> Measured:
    return made_up.measured(passed=False)


def test_json_holds_everything(run: Measured) -> None:
    found = json.loads(json_file.text(run))
    assert found["about"]["clock"] == "audit"
    assert found["about"]["passed"] is False
    assert found["measures"]["makespan"] == {"value": run.measures["makespan"].value, "unit": "s", "n": 288}
    assert {name: len(rows) for name, rows in found["tables"].items()} == {
        name: len(table.rows) for name, table in run.tables.items()
    }
    assert found["tables"]["gangs"][0] == next(run.tables["gangs"].dicts())


def test_csv_is_a_file_per_table(run: Measured, tmp_path: Path) -> None:
    paths = csv_files.write(tmp_path / "tables", run)
    assert {path.stem for path in paths} == {*run.tables, "measures"}
    rows = list(_read(tmp_path / "tables" / "pods.csv"))
    assert [row["pod"] for row in rows] == run.tables["pods"].column("pod")
    measures = {row["measure"]: row for row in _read(tmp_path / "tables" / "measures.csv")}
    assert float(measures["makespan"]["value"]) == run.measures["makespan"].value


def test_csv_leaves_what_is_unknown_empty(run: Measured) -> None:
    table = replace(run.tables["gaps"], rows=[("Pod", 'a "b", c\nd', 1.5, None, "")])
    text = csv_files.texts(replace(run, tables={"gaps": table}))["gaps"]
    assert list(csv.reader(io.StringIO(text)))[1] == ["Pod", 'a "b", c\nd', "1.5", "", ""]


def test_markdown_tells_verdict_measures_and_clock(run: Measured) -> None:
    text = markdown_file.document(run)
    assert text.startswith("## gang-scheduling: ❌ failed\n")
    assert "| makespan | 25.7\u00a0s | 288 | first pod created to last pod ended |" in text
    assert "clock: audit" in text
    assert "| gang.wait |" in text
    assert "tool.lag.max" not in text  # nobody measured it


def test_markdown_shows_the_pictures_beside_it(run: Measured, tmp_path: Path) -> None:
    paths = markdown_file.write(tmp_path / "measures.md", run)
    names = {path.name for path in paths}
    assert names == {"measures.md", *(f"measures.{name}.svg" for name in ("occupancy", "timeline", "latency", "gantt"))}
    document = (tmp_path / "measures.md").read_text()
    for name in names - {"measures.md"}:
        assert f"]({name})" in document
        drawn = (tmp_path / name).read_text()
        ET.fromstring(drawn)  # noqa: S314 - we have just written it
        assert "var(" not in drawn
        assert drawn.count("<pattern") >= 8


def test_names_are_no_markup_in_markdown(run: Measured) -> None:
    about = replace(run.about, name="<script>|`*_[x](y)", notes=["a\nb | c"])
    text = markdown_file.document(replace(run, about=about))
    assert "<script>" not in text
    assert "> a b &#124; c" in text


@pytest.mark.parametrize(
    ("value", "unit", "name", "shown"),
    [
        (25.712, "s", "makespan", ("25.7", "s")),
        (0.0021, "s", "watch.lag.p50", ("2.10", "ms")),
        (754.0, "s", "makespan", ("12.6", "min")),
        (40_000.0, "s", "makespan", ("11.1", "h")),
        (0.8106, "ratio", "gpu.occupancy.mean", ("81.1", "%")),
        (1.49, "ratio", "gang.slowdown.p50", ("1.49", "")),
        (10_000, "pods", "pods.count", ("10,000", "pods")),
        (3 * 2**30, "bytes", "", ("3,072", "MiB")),
        (0.0, "gpus", "gpu.stranded.mean", ("0", "GPUs")),
        (None, "s", "makespan", ("unknown", "")),
    ],
)
def test_numbers_have_three_digits_and_a_unit(
    value: float | None, unit: str, name: str, shown: tuple[str, str]
) -> None:
    assert value_and_unit(value, unit, name) == shown


def test_a_cell_of_what_is_unknown_is_a_dash() -> None:
    assert (cell(None), cell(1.25, "s"), cell("x"), cell(True)) == ("–", "1.25", "x", "yes")  # noqa: RUF001
    assert text(Measure(name="makespan", value=None, unit="s", n=0)) == "unknown"


def _read(path: Path) -> csv.DictReader[str]:
    return csv.DictReader(io.StringIO(path.read_text(), newline=""))
