"""The page of a bench as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knavtool.bench import files
from knavtool.bench.directory import Directory
from knavtool.bench.judging import judge
from knavtool.bench.running import Progress
from knavtool.measure.measuring import measure_file
from knavtool.measure.reading import NAME
from support.benches import planned, repetition
from support.browser import chromium, enliven, opened
from support.simulated import run_of, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

_HOSTILE = "</script><script>document.title='taken'</script>\"'><img src=x onerror=alert(1)>"
_MEASURES = ["makespan", "gpu.occupancy.mean", "gang.admission.p50"]
_POINTS = "name => document.querySelectorAll(`[data-chart=${name}] .mark-symbol.role-mark path`).length"
_LETTERS = """name => [...document.querySelectorAll(`[data-chart=${name}] .mark-text.role-mark text`)]
    .map((one) => one.textContent)"""
_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the result of three contenders, three repetitions each; one of them is marked."""
    place = tmp_path_factory.mktemp("bench")
    names = ["Volcano", "Kueue", _HOSTILE]
    made = planned(
        place / "definition",
        contenders=names,
        repetitions=3,
        measures=_MEASURES,
        description=_HOSTILE,
        verdict=[{"measure": "makespan", "worse-than-baseline": "10%"}, {"measure": "makespan", "value": "< 1h"}],
        retries=0,
        **{"warm-up": False},
    )
    directory, found = Directory(place), Progress(made, list(made.schedule()))
    for slot in found.slots:
        index = names.index(slot.contender)
        here = directory.of(made, slot, 1)
        here.mkdir(parents=True)
        write(here / NAME, run_of(seed=slot.number, nodes=8 - 2 * index, pods=80))
        measured = measure_file(here)
        components = ({"component": "kube-scheduler", "version": "v1", "settings": f"v={index}", "changed": _HOSTILE},)
        marks = (_HOSTILE,) if (index, slot.number) == (1, 2) else ()
        one = replace(repetition(slot, {}), measures=measured.measures, components=components, marks=marks)
        found.attempts[slot] = [one]
    files.write(judge(made, found, directory), directory, cache=tmp_path_factory.mktemp("cache"))
    return place


def test_everything_is_on_the_page(browser: Browser, bench: Path) -> None:
    with opened(browser, bench / "index.html") as page:
        assert page.title() == "test"
        assert page.locator("#compared tbody tr").count() == 3
        assert page.locator("#compared tbody td").count() == 9
        assert page.locator("#compared td.absent").count() == 3  # nobody has a queue
        assert page.locator(".rules li").count() == 5
        assert page.locator("#settings td.differs").count() == 3
        links = page.locator("#runs tbody a")
        assert links.count() == 9
        assert links.nth(0).get_attribute("href") == "runs/volcano/1/report.html"
        assert "repetition 2 counts although it is marked" in page.locator(".warnings").inner_text()
        assert page.evaluate(_POINTS, "spread-makespan") == 9
        for name in ("allocated", "bound", "pending", "pod-wait"):
            assert set(page.evaluate(_LETTERS, name)) >= {"A", "B", "C"}, name
        assert page.locator("#spread-gang-admission-p50").inner_text().startswith("gang.admission.p50: of no contender")


def test_it_lives_and_fits_a_telephone(browser: Browser, bench: Path) -> None:
    with opened(browser, bench / "index.html", viewport={"width": 400, "height": 800}) as page:
        assert not page.evaluate(_WIDE)
        enliven(page)
        assert page.evaluate(_POINTS, "spread-makespan") == 9
        assert not page.evaluate(_WIDE)


def test_without_scripts(browser: Browser, bench: Path) -> None:
    with opened(browser, bench / "index.html", java_script_enabled=False) as page:
        assert page.locator("#time-0 svg").count() >= 5
