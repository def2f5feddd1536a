"""The page of two runs as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knavtool.measure.comparing import Comparison, Run, chosen, compare
from knavtool.measure.measuring import measure_file
from knavtool.measure.relative import judge_relative, parse_relative
from knavtool.report.compared.cells import cells
from knavtool.report.html.comparison import render
from support.browser import chromium, enliven, opened
from support.simulated import run_of, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

_PLOTS = {"allocated", "bound", "pending", "rates", "pod-wait", "gang-wait", "free", "stranded"}
_MARKS = "[class*='role-mark'] path, [class*='role-mark'] line, [class*='role-mark'] text"
_LINES = """name => [...document.querySelectorAll(`[data-chart=${name}] .mark-line.role-mark path`)]
    .map((one) => `${one.getAttribute("stroke")} ${one.getAttribute("stroke-dasharray")}`)"""
_LETTERS = """name => [...document.querySelectorAll(`[data-chart=${name}] .mark-text.role-mark text`)]
    .map((one) => one.textContent)"""
_HOSTILE = "</script><script>document.title='taken'</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two runs, of which the second has more nodes, and of which the first was not seen for a while."""
    directory = tmp_path_factory.mktemp("runs")
    gap = [
        {"fact": "gap", "at": 3.0, "event": "began", "kind": "pods", "reason": "gone"},
        {"fact": "gap", "at": 5.0, "event": "ended", "kind": "pods", "reason": ""},
    ]
    made = {"before": [*run_of(1, pods=150), *gap], "after": run_of(1, pods=150, nodes=12)}
    runs = [Run.of(name, measure_file(write(directory / name, facts))) for name, facts in made.items()]
    return compare(*runs)


@pytest.fixture(scope="module")
def page_of_both(comparison: Comparison, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    thresholds = [parse_relative("makespan<=+10%"), parse_relative("makespan<=-99%")]
    judged = [(one, judge_relative(one, comparison)) for one in thresholds]
    path = tmp_path_factory.mktemp("page") / "diff.html"
    path.write_text(render(comparison, chosen(comparison), judged, cache=cache))
    assert path.stat().st_size < 3_000_000
    return path


def test_every_chart_has_a_line_of_each_run(browser: Browser, page_of_both: Path) -> None:
    with opened(browser, page_of_both) as page:
        for name in _PLOTS:
            assert page.locator(f"[data-chart={name}]").locator(_MARKS).count() > 0, name
        assert set(enliven(page)) == _PLOTS
        for name in _PLOTS:
            lines = page.evaluate(_LINES, name)
            assert len(lines) == 2, name
            colors, dashes = zip(*(line.split(" ", 1) for line in lines), strict=True)
            assert len(set(colors)) == len(set(dashes)) == 2, (name, lines)
            assert set(page.evaluate(_LETTERS, name)) >= {"A", "B"}, name
            legend = page.locator(f"[data-chart={name}] .role-legend-label").all_text_contents()
            assert " ".join(legend).count(": ") == 2, (name, legend)


def test_both_begin_with_their_first_pod(browser: Browser, page_of_both: Path, comparison: Comparison) -> None:
    ends = []
    for run in (comparison.before, comparison.after):
        assert run.tables is not None
        assert run.about is not None
        ends.append(run.about.seconds - min(run.tables["pods"].column("created")))
    with opened(browser, page_of_both) as page:
        page.locator("#bound summary").click()
        first, *_, last = page.locator("#bound tbody tr").all()
        assert first.locator("td").first.inner_text() == "0"
        assert [float(one) for one in last.locator("td").all_inner_texts()] == [
            pytest.approx(max(ends), abs=0.001),
            150,
            150,
        ]


def test_the_table_has_what_moved(browser: Browser, page_of_both: Path, comparison: Comparison) -> None:
    expected = [cells(change) for change in chosen(comparison)]
    with opened(browser, page_of_both) as page:
        rows = [row.locator("th, td").all_inner_texts() for row in page.locator("#moved tbody tr").all()]
        assert [row[0] for row in rows] == [one.measure for one in expected]
        for row, one in zip(rows, expected, strict=True):
            found = [text.replace("\u00a0", " ") for text in row]
            assert found[1:5] == [one.before, one.after, one.difference, one.relative]
            assert found[-1].split()[-1] == one.word
        assert page.locator("#moved .bar").count() == len(expected)
        assert page.locator("#measures tbody tr").count() == len(comparison.changes)
        makespan = page.locator(".tile data[data-measure=makespan]").inner_text().replace("\u00a0", " ")
        assert makespan == next(one.after for one in expected if one.measure == "makespan")


def test_what_must_be_known_stands_above(browser: Browser, page_of_both: Path) -> None:
    with opened(browser, page_of_both) as page:
        assert page.locator("h1").inner_text() == "simulated: A and B"
        assert "1 of 2 thresholds missed" in page.locator(".verdict").inner_text()
        assert page.locator(".failures li").count() == 1
        warnings = page.locator(".warnings").inner_text()
        assert "different numbers of nodes: 8 in A, 12 in B" in warnings
        assert "A: pods: nothing was seen from 3.0 s to 5.0 s: gone" in warnings
        assert "One run against one" in page.locator(".clock").inner_text()
        enliven(page)
        assert page.locator("[data-chart=pending] [fill='url(#gap)']").count() == 1
        assert "A not seen" in (page.locator("[data-chart=pending]").text_content() or "")


def test_it_can_be_read_with_scripts_off_and_on_a_telephone(browser: Browser, page_of_both: Path) -> None:
    size = {"width": 400, "height": 800}
    for scripts in (False, True):
        with opened(browser, page_of_both, java_script_enabled=scripts, viewport=size) as page:
            if scripts:
                enliven(page)
            for name in _PLOTS:
                assert page.locator(f"[data-chart={name}] svg").is_visible(), name
            wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert wide is False
            assert page.locator("#moved tbody tr").first.is_visible()


def test_without_tables_there_are_no_plots(
    browser: Browser, comparison: Comparison, cache: Path, tmp_path: Path
) -> None:
    bare = replace(comparison.before, about=None, tables=None, label="report.json")
    found = compare(bare, comparison.after)
    path = tmp_path / "diff.html"
    path.write_text(render(found, chosen(found), cache=cache))
    with opened(browser, path) as page:
        assert page.locator("[data-chart]").count() == 0
        assert "report.json has measures only; plots need recordings" in page.locator("#pending").inner_text()
        assert page.locator("#moved tbody tr").count() > 10


def test_names_are_never_markup(browser: Browser, comparison: Comparison, cache: Path, tmp_path: Path) -> None:
    assert comparison.before.about is not None
    about = replace(comparison.before.about, name=_HOSTILE, notes=[_HOSTILE], environment={_HOSTILE: _HOSTILE})
    found = compare(replace(comparison.before, label=_HOSTILE, about=about), comparison.after)
    path = tmp_path / "diff.html"
    path.write_text(render(found, chosen(found), cache=cache))
    with opened(browser, path) as page:
        enliven(page)
        assert page.locator("h1").inner_text().startswith(_HOSTILE)
        assert page.locator("img").count() == 0
        assert _HOSTILE in page.locator("#setups").inner_text()
