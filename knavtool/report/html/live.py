"""The page of a run that goes on: a frame without content, and the parts that fill it, each time those that changed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool import __version__
from knavtool.report.html import closing, marks
from knavtool.report.html.embedding import packed_tables
from knavtool.report.html.head import head
from knavtool.report.html.library import Library
from knavtool.report.html.page import CLOSING, document, figure, framed
from knavtool.report.html.sections import sections, titles

if TYPE_CHECKING:
    from knavtool.measure.table import Measured


@functools.cache
def frame(cache: Path | None = None) -> str:
    """The page before it is filled, with nothing of the run in it; made once.

    Takes a tenth of a second, and 2 s more if `cache` does not hold the script of the charts yet.
    """
    library = Library(cache)
    try:
        script = (Path(__file__).parent / "live.js").read_text(encoding="utf-8")
        return document("knavtool", _body(), {}, {}, library.script(), live=script)
    finally:
        library.close()


def parts(measured: Measured, *, going_on: bool = True) -> dict[str, Any]:
    """What the page consists of by name: texts as HTML, `chart-ID` with its specification, `layout`.

    At the end of the run the tables are parts too, packed: the page keeps what it shows, and nobody can be asked.
    """
    first, built = sections(measured)
    charts = [first, *(chart for section in built for chart in section.charts)]
    name = measured.about.name or "run"
    held = packed_tables(measured.tables.values()) if not going_on else {}
    rows = {table.name: len(table.rows) for table in measured.tables.values()}
    found: dict[str, Any] = {
        "title": name if not going_on else f"● {name}",
        "head": head(measured, name, going_on=going_on),
        "layout": [("overview", [first.id]), *((one.id, [chart.id for chart in one.charts]) for one in built)],
        "measures": closing.measures(measured),
        "steps": closing.steps(measured),
        "environment": closing.environment(measured),
        "data": closing.data(measured, held or {table: ("", count) for table, count in rows.items()}),
    }
    for chart in charts:
        found[f"chart-{chart.id}"] = {"html": figure(chart, {}), "spec": chart.spec, "readout": chart.readout}
    return found | {f"table-{table}": text for table, (text, _) in held.items()}


def _body() -> str:
    known = titles()
    empty = "".join(f'<section id="{name}"><h2>{marks.text(title)}</h2></section>' for name, title in known)
    last = "".join(f'<section id="{name}"><h2>{marks.text(title)}</h2></section>' for name, title in CLOSING)
    return framed(
        [("overview", "Overview"), *known, *CLOSING],
        '<p id="live" class="waiting" role="status"><i aria-hidden="true"></i><span>Waiting for the run.</span></p>'
        '<noscript><p class="absent">This page needs scripts while the run goes on.</p></noscript>'
        f'<div id="overview"><div id="head"></div></div>{empty}{last}<div id="stock" hidden></div>'
        f"<footer>Shown by knavtool {__version__} while it runs.</footer>",
    )
