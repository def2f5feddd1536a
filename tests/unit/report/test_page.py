"""`report.html` and its parts as text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knavtool.errors import OutputError
from knavtool.measure import tables
from knavtool.report.html import embedding, library, page, render, write
from knavtool.report.html.head import clock, head
from knavtool.report.html.sections import sections
from knavtool.report.measured import figures
from support import measured as made_up

if TYPE_CHECKING:
    from knavtool.measure.table import Measured
    from knavtool.report.html.charts.chart import Chart

_MOST = 3_000_000  # bytes of a page


@pytest.fixture(scope="module")
def run() -> Measured:
    return made_up.measured()


@pytest.fixture(scope="module")
def large() -> Measured:
    """10,000 pods on 2,000 nodes."""
    return made_up.big()


@pytest.fixture
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of the charts takes seconds to make and does not matter here."""
    monkeypatch.setattr(library.Library, "_kept", lambda _: "library" * 100_000)


def charts(measured: Measured) -> dict[str, Chart]:
    first, parts = sections(measured)
    return {chart.id: chart for chart in [first, *(one for part in parts for one in part.charts)]}


def values(chart: Chart, name: str) -> list[Any]:
    assert chart.spec is not None
    return [row["v"] for row in chart.spec["datasets"]["main"] if row["k"] == name]


@pytest.mark.usefixtures("no_bundle")
@pytest.mark.slow
def test_ten_thousand_pods_fit_into_three_megabytes(large: Measured, tmp_path: Path) -> None:
    write(tmp_path / "report.html", large)
    size = (tmp_path / "report.html").stat().st_size
    script = 420_000  # the library, which is not there
    assert 1_000_000 < size + script < _MOST
    held = embedding.packed_tables(large.tables.values())
    assert {name: rows for name, (_, rows) in held.items()} == {
        name: len(one.rows) for name, one in large.tables.items()
    }


@pytest.mark.usefixtures("no_bundle")
@pytest.mark.slow
def test_only_its_own_scripts_may_run_and_nothing_may_be_fetched(run: Measured) -> None:
    text = render(run)
    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    assert len(policy) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policy[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    scripts = [re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0], "library" * 100_000]
    assert rules["script-src"].split() == [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    ]
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)


def test_plots_of_many_pods_keep_the_peaks(large: Measured) -> None:
    found = charts(large)
    rows = large.tables["occupancy"].rows
    for queue in ("research", "serving", "batch"):
        assert max(values(found["occupancy"], queue)) == max(row[2] for row in rows if row[1] == queue)
        assert min(values(found["occupancy"], queue)) == min(row[2] for row in rows if row[1] == queue)
    for name in ("free", "stranded"):
        assert max(values(found["stranded"], name)) == max(large.tables["blocks"].column(name))
    assert max(values(found["rates"], "bound")) == large.measures["pods.rate.max"].value
    assert max(values(found["latency-time"], "longest")) == pytest.approx(large.measures["pod.wait.max"].value)
    assert all(len(chart.spec["datasets"]["main"]) < 8000 for chart in found.values() if chart.spec)


def test_the_highest_total_of_a_stack_is_drawn(large: Measured) -> None:
    found = charts(large)["occupancy"]
    assert found.spec is not None
    totals: dict[float, float] = {}
    for row in found.spec["datasets"]["main"]:
        totals[row["t"]] = totals.get(row["t"], 0) + row["v"]
    assert max(totals.values()) == large.measures["gpu.allocated.max"].value


def test_many_queues_are_told_apart_or_added_up() -> None:
    run = made_up.measured(queues=tuple(f"queue-{number}" for number in range(10)))
    found = charts(run)["occupancy"]
    assert found.spec is not None
    names = {row["k"] for row in found.spec["datasets"]["main"]}
    assert len(names) == 8
    assert "others" in names
    alone = charts(run)["shares"]
    assert "others" not in {row["k"] for row in alone.spec["datasets"]["main"]}  # type: ignore[index]


def test_without_gpus_the_first_plot_is_of_pods(run: Measured) -> None:
    without = {
        name: tables.table(name, ()) for name in ("occupancy", "pools", "priorities", "capacity", "blocks", "heat")
    }
    bare = replace(run, tables={**run.tables, **without})
    first, parts = sections(bare)
    assert first.id == "timeline"
    missing = {chart.id: chart.why for part in parts for chart in part.charts if chart.spec is None}
    assert missing == dict.fromkeys(("occupancy", "blocks", "stranded", "heat"), "no node with GPUs was seen")


def test_a_part_of_many_gangs_is_drawn_and_said(large: Measured) -> None:
    found = charts(large)["gantt"]
    worst = max(large.tables["gangs"].dicts(), key=lambda row: row["partial"])
    slowest = max(large.tables["gangs"].dicts(), key=lambda row: row["wait"])
    drawn = {row["k"] for row in found.spec["datasets"]["main"]}  # type: ignore[index]
    assert {worst["gang"], slowest["gang"]} <= drawn
    assert len(drawn) == 60
    assert f"60 of {len(large.tables['gangs'].rows)} are drawn" in found.text


def test_pods_that_were_never_bound_are_told(run: Measured) -> None:
    rows = [
        (*row[:11], *([None] * 9), "pending") if number < 3 else row
        for number, row in enumerate(run.tables["pods"].rows)
    ]
    found = charts(replace(run, tables={**run.tables, "pods": tables.table("pods", rows)}))
    assert "3 pods that were never bound are not here" in found["latency-time"].text


def test_five_figures_of_what_the_run_has(run: Measured) -> None:
    def names(measured: Measured) -> list[str]:
        return [figure.measure for figure in figures.chosen(measured)]

    assert names(run)[:4] == ["makespan", "gang.wait.p95", "gpu.occupancy.mean", "gpu.stranded.mean"]
    lost = {name: replace(one, value=None) for name, one in run.measures.items() if name.startswith(("g", "evict"))}
    pods = replace(run, measures={**run.measures, **lost})
    assert names(pods) == ["makespan", "pod.wait.p95", "preemptions.count", "pods.rate.mean", "pods.rate.max"]
    assert len(names(made_up.empty())) == 5


@pytest.mark.parametrize(("passed", "said"), [(True, "Passed"), (False, "Failed"), (None, "Did not end")])
def test_the_verdict_is_a_word(run: Measured, passed: bool | None, said: str) -> None:
    assert said in head(replace(run, about=replace(run.about, passed=passed)), "a run")


def test_of_failures_the_tasks_are_told_not_the_steps_around_them() -> None:
    text = head(made_up.measured(passed=False), "a run")
    assert "1 failed" in text
    assert text.count("<li><b>") == 1
    assert "12 of 288 pods are Pending after 20s:<br>job-0031-2" in text


def test_the_clock_is_named(run: Measured) -> None:
    assert clock(run.about).startswith("Moments are those of the API server's audit log. The watch reported them 2.1")
    watched = replace(run.about, clock="watch", lag_p50=None)
    assert clock(watched).endswith("How late the watch was is unknown.")


def test_warnings_are_on_the_first_screen(run: Measured) -> None:
    about = replace(run.about, whole=False, saturated=["the machine was busy"], notes=["a note"])
    text = head(replace(run, about=about), "a run")
    for said in ("The recording was cut off", "was the limit: the machine was busy", "a note"):
        assert said in text


def test_tables_come_back_as_they_were(run: Measured) -> None:
    def unpacked(text: str) -> dict[str, list[Any]]:
        found = {}
        for name, one in json.loads(zlib.decompress(base64.b64decode(text))).items():
            total = 0
            if "values" in one:
                found[name] = one["values"]
                continue
            found[name] = []
            for step in one["steps"]:
                total += step or 0
                found[name].append(None if step is None else total / one["scale"])
        return found

    for name, (text, rows) in embedding.packed_tables(run.tables.values()).items():
        table = run.tables[name]
        assert rows == len(table.rows)
        found = unpacked(text)
        assert list(found) == [column.name for column in table.columns]
        for column in table.columns:
            for after, before in zip(found[column.name], table.column(column.name), strict=True):
                assert after == (pytest.approx(before, abs=1e-6) if isinstance(before, float) else before)


def test_tables_that_are_too_large_together_are_cut_the_derived_ones_first(large: Measured) -> None:
    most = 500_000
    held = embedding.packed_tables(large.tables.values(), most)
    assert sum(len(text) for text, _ in held.values()) <= most
    assert held["gangs"][1] == len(large.tables["gangs"].rows)
    assert held["timeline"][1] < len(large.tables["timeline"].rows)


@pytest.mark.usefixtures("no_bundle")
@pytest.mark.slow
def test_a_table_that_is_cut_says_so(run: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "packed_tables", lambda found: embedding.packed_tables(found, 20_000))
    text = render(run)
    assert re.search(
        r"The first 20 of 288 rows\. The page holds the first \d+; <code>knavtool report --format csv", text
    )


@pytest.mark.usefixtures("no_bundle")
@pytest.mark.slow
def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "report.html").mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot write the report"):
        write(place / "report.html", made_up.empty())
    assert [one.name for one in place.iterdir()] == ["report.html"]


def test_the_script_of_the_charts_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "report"
    kept.mkdir()
    first = library.Library(tmp_path)
    first.close()
    name = first._file
    assert name is not None
    name.write_text("x" * 600_000)
    assert library.Library(tmp_path).script() == "x" * 600_000
    name.write_text("cut off")
    again = library.Library(tmp_path)
    assert again._process is not None
    again.close()
