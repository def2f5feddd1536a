"""`report.html` as a browser shows it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knavtool.report.html import write
from knavtool.report.measured import csv_files, json_file
from support import measured as made_up
from support.browser import chromium, enliven, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from knavtool.measure.table import Measured

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

_MARKS = "[class*='role-mark'] path, [class*='role-mark'] line, [class*='role-mark'] text"
_LABELS = """name => [...document.querySelectorAll(`[data-chart=${name}] .role-axis-label`)[0].querySelectorAll("text")]
    .map((one) => Number(one.textContent)).sort((a, b) => a - b).join(" ")"""
_SWEEP = """plot => {
    const { left, top, width } = plot.getBoundingClientRect();
    const seen = {};
    for (let x = 0; x < width; x += 0.5) {
        plot.dispatchEvent(new PointerEvent("pointermove", { clientX: left + x, clientY: top + 100 }));
        for (const line of plot.querySelectorAll(".values span")) {
            const name = line.firstChild.textContent;
            const value = parseFloat(line.lastChild.textContent.replace(",", ""));
            seen[name] = Math.max(seen[name] ?? 0, value);
        }
    }
    return seen;
}"""
_HOSTILE = (
    "</script><script>document.title='taken'</script>\"'><img src=x onerror=alert(1)>`${1}&lt; \u202e\u00fc\U0001f680"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def failed() -> Measured:
    """A run with gangs, queues, preemptions, a gap and a failed check."""
    return made_up.measured(passed=False)


@pytest.fixture(scope="module")
def page_of_failed(failed: Measured, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("failed") / "report.html"
    write(path, failed, cache=cache)
    return path


def test_every_chart_has_marks_and_answers_to_the_pointer(browser: Browser, page_of_failed: Path) -> None:
    with opened(browser, page_of_failed) as page:
        drawn = {name: page.locator(f"[data-chart={name}] {_MARKS}").count() for name in _charts(page)}
        alive = enliven(page)
        assert set(alive) == set(drawn) >= {
            "occupancy", "timeline", "rates", "latency", "latency-time", "gantt", "blocks", "stranded", "heat", "waits",
            "quotas", "shares", "jain", "pending", "preemptions", "requests", "cpu", "memory",
        }  # fmt: skip
        for name in alive:
            assert page.locator(f"[data-chart={name}] svg").count() == 1, name
            now = page.locator(f"[data-chart={name}]").locator(_MARKS).count()
            assert now > 0, name
            assert drawn[name] > 0, name


def test_its_numbers_are_those_of_the_json_report(browser: Browser, page_of_failed: Path, failed: Measured) -> None:
    measures = json_file.document(failed)["measures"]
    with opened(browser, page_of_failed) as page:
        figures = page.locator(".tile data")
        assert figures.count() == 5
        for number in range(5):
            name = figures.nth(number).get_attribute("data-measure")
            assert float(figures.nth(number).get_attribute("value") or "nan") == measures[name]["value"]
        assert page.locator("[data-measure='makespan']").first.inner_text() == f"{measures['makespan']['value']:.1f}"
        shown = page.locator("#measures [data-measure='gpu.occupancy.mean']").inner_text()
        assert shown == f"{measures['gpu.occupancy.mean']['value'] * 100:.1f}\u00a0%"
        named = page.locator("#measures [data-measure]").evaluate_all("cells => cells.map(one => one.dataset.measure)")
        assert set(named) == set(measures)


def test_the_pointer_is_told_the_values(browser: Browser, page_of_failed: Path, failed: Measured) -> None:
    peaks = {
        queue: max(row[2] for row in failed.tables["occupancy"].rows if row[1] == queue)
        for queue in ("team-a", "team-b")
    }
    with opened(browser, page_of_failed) as page:
        page.wait_for_selector("[data-chart=occupancy][data-state=live]")
        seen = page.locator("[data-chart=occupancy]").evaluate(_SWEEP)
    # What lasts less than half a pixel is drawn, but a pointer can miss it.
    assert set(seen) == {*peaks, "together"}
    assert all(peak * 0.9 <= seen[name] <= peak for name, peak in peaks.items()), (seen, peaks)


def test_a_table_is_saved_as_csv(browser: Browser, page_of_failed: Path, failed: Measured) -> None:
    with opened(browser, page_of_failed) as page:
        for name in ("pods", "gangs", "steps"):
            page.locator(f"summary:has(b:text-is('{failed.tables[name].title}'))").click()
            with page.expect_download() as download:
                page.locator(f"button[data-csv={name}]").click()
            assert download.value.suggested_filename == f"{name}.csv"
            saved = list(csv.reader(Path(download.value.path()).read_text().splitlines(keepends=True)))
            written = list(csv.reader(csv_files.texts(failed)[name].splitlines(keepends=True)))
            assert [list(map(_rounded, row)) for row in saved] == [list(map(_rounded, row)) for row in written]


def test_dragging_shows_a_part_of_the_run_in_all_plots(browser: Browser, page_of_failed: Path) -> None:
    with opened(browser, page_of_failed) as page:
        page.wait_for_selector("[data-chart=occupancy][data-state=live]")
        whole = _axis(page, "occupancy")
        box = page.locator("[data-chart=occupancy]").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 150)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 150)
        page.mouse.up()
        page.wait_for_function(f"before => ({_LABELS})('occupancy') !== before", arg=whole)
        assert page.locator("button.reset").is_visible()
        part = _axis(page, "occupancy")
        enliven(page)
        assert _axis(page, "stranded").split()[0] == part.split()[0] != whole.split()[0]
        page.keyboard.press("Escape")
        page.wait_for_function(f"before => ({_LABELS})('occupancy') === before", arg=whole)
        page.wait_for_function(f"before => ({_LABELS})('stranded').split(' ')[0] === before", arg=whole.split()[0])
        assert not page.locator("button.reset").is_visible()


@pytest.mark.parametrize("width", [1280, 400])
def test_it_can_be_read_with_scripts_off(browser: Browser, page_of_failed: Path, width: int) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, page_of_failed, java_script_enabled=False, viewport=size) as page:
        assert page.locator("h1").inner_text() == "gang-scheduling"
        assert "Failed" in page.locator(".verdict").inner_text()
        assert "12 of 288 pods are Pending" in page.locator(".failures").inner_text()
        for name in _charts(page):
            assert page.locator(f"[data-chart={name}] svg").is_visible(), name
        page.locator("#occupancy summary").click()
        assert page.locator("#occupancy tbody tr").count() > 10
        page.locator("summary:has(b:text-is('Pods'))").click()
        assert page.locator("#data tbody tr").first.is_visible()
        assert not page.locator("button").first.is_visible()
        assert _scrolls(page) is False


def test_nothing_is_wider_than_a_telephone(browser: Browser, page_of_failed: Path) -> None:
    with opened(browser, page_of_failed, viewport={"width": 400, "height": 800}) as page:
        enliven(page)
        assert _scrolls(page) is False
        for name in _charts(page):
            assert page.locator(f"[data-chart={name}] svg").bounding_box()["width"] <= 400, name  # type: ignore[index]


def test_it_is_dark_where_the_reader_wants_it(browser: Browser, page_of_failed: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        with opened(browser, page_of_failed, color_scheme=scheme) as page:
            page.wait_for_selector("[data-chart=occupancy][data-state=live]")
            ground = _color(page, "body", "background-color")
            ink = _color(page, "[data-chart=occupancy] svg text", "fill")
            brightness[scheme] = (ground, ink)
    assert brightness["light"][0] > 200 > 120 > brightness["light"][1]
    assert brightness["dark"][0] < 60 < 120 < brightness["dark"][1]


def test_on_paper_it_is_light_and_has_no_navigation(browser: Browser, page_of_failed: Path) -> None:
    with opened(browser, page_of_failed, color_scheme="dark", viewport={"width": 700, "height": 990}) as page:
        page.wait_for_selector("[data-chart=occupancy][data-state=live]")
        page.emulate_media(media="print")
        assert _color(page, "body", "background-color") > 200
        assert not page.locator("nav").is_visible()
        assert not page.locator("#data").is_visible()
        assert page.locator("#occupancy svg").is_visible()
        for name in _charts(page):
            assert page.locator(f"[data-chart={name}] svg").bounding_box()["width"] <= 700, name  # type: ignore[index]
        assert page.pdf(format="A4")[:4] == b"%PDF"


def test_the_keyboard_reaches_everything(browser: Browser, page_of_failed: Path) -> None:
    with opened(browser, page_of_failed) as page:
        page.keyboard.press("Tab")
        assert _focused(page) == "Skip to the report"
        page.keyboard.press("Tab")
        assert _focused(page) == "Overview"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function("location.hash === '#pods-over-time'")
        levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        for name in _charts(page):
            plot = page.locator(f"[data-chart={name}]")
            assert plot.get_attribute("role") == "img"
            assert len(plot.get_attribute("aria-label") or "") > 30, name
            assert page.locator(f"#{name} table").count() == 1, name
        summary = page.locator("#occupancy summary")
        summary.focus()
        page.keyboard.press("Enter")
        assert page.locator("#occupancy table").is_visible()


def test_a_gap_is_shown_in_every_plot_over_time(browser: Browser, page_of_failed: Path) -> None:
    over_time = {
        "occupancy",
        "timeline",
        "rates",
        "latency-time",
        "gantt",
        "blocks",
        "stranded",
        "heat",
        "shares",
        "cpu",
    }
    with opened(browser, page_of_failed) as page:
        for name in over_time:
            assert page.locator(f"[data-chart={name}] [fill='url(#gap)']").count() == 1, name
            assert "not seen" in (page.locator(f"[data-chart={name}]").text_content() or ""), name


def test_names_are_never_markup(browser: Browser, failed: Measured, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(path, _hostile(failed), cache=cache)
    with opened(browser, path) as page:
        enliven(page)
        for summary in page.locator("#data > details > summary").all():
            summary.click()
        assert page.title() == _HOSTILE
        assert page.locator("h1").inner_text() == _HOSTILE
        assert page.locator("img").count() == 0
        assert _HOSTILE in page.locator("#steps").inner_text()
        page.mouse.move(*_middle(page, "gantt"))


def test_a_run_without_pods_has_lines_instead_of_plots(browser: Browser, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(path, made_up.empty(), cache=cache)
    with opened(browser, path) as page:
        assert page.locator("[data-chart]").count() == 0
        assert "no pod was created" in page.locator("#timeline").inner_text()
        assert "unknown" in page.locator(".tiles").inner_text()
        assert "How late the watch was is unknown" in page.locator(".clock").inner_text()
        assert _scrolls(page) is False


def _charts(page: Page) -> list[str]:
    found: list[str] = page.locator("[data-chart]").evaluate_all("plots => plots.map(one => one.dataset.chart)")
    return found


def _scrolls(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent"))


def _color(page: Page, selector: str, what: str) -> float:
    """How bright a colour is, from 0 to 255."""
    text = page.locator(selector).first.evaluate(f"one => getComputedStyle(one).getPropertyValue('{what}')")
    return sum(float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3]) / 3


def _axis(page: Page, name: str) -> str:
    return str(page.evaluate(_LABELS, name))


def _middle(page: Page, name: str) -> tuple[float, float]:
    plot = page.locator(f"[data-chart={name}]")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _rounded(cell: str) -> Any:
    try:
        return round(float(cell), 6)
    except ValueError:
        return cell


_WORDS = ("failed", "ok", "task", "queued", "waiting", "partial", "bound")
"""What knavtool itself writes, so that nobody can choose it."""


def _hostile(run: Measured) -> Measured:
    """The same run with names that try to be markup, wherever there is text."""

    def spoiled(value: Any) -> Any:
        return _HOSTILE if isinstance(value, str) and value not in _WORDS else value

    tables = {
        name: replace(table, rows=[tuple(map(spoiled, row)) for row in table.rows])
        for name, table in run.tables.items()
    }
    about = replace(
        run.about,
        name=_HOSTILE,
        notes=[_HOSTILE],
        saturated=[_HOSTILE],
        environment={_HOSTILE: _HOSTILE},
        began=_HOSTILE,
    )
    return replace(run, about=about, tables=tables)
