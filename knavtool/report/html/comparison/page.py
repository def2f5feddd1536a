"""The page of two runs: what moved, and their plots over each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.measure.cautions import ONE_AGAINST_ONE, cautions
from knavtool.measure.comparing import chosen
from knavtool.report.compared.cells import counted, headline
from knavtool.report.html import marks
from knavtool.report.html.comparison import tables
from knavtool.report.html.comparison.charts import sections
from knavtool.report.html.comparison.sides import OF_TWO
from knavtool.report.html.drawing import Drawing
from knavtool.report.html.library import Library
from knavtool.report.html.page import document, figure, framed
from knavtool.report.measured import figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.measure.comparing import Change, Comparison, Run
    from knavtool.report.compared.cells import Judged
    from knavtool.report.html.charts.chart import Chart
    from knavtool.report.html.sections import Section

_STYLE = Path(__file__).with_name("comparison.css")


def render(
    comparison: Comparison, changes: Sequence[Change], judged: Sequence[Judged] = (), *, cache: Path | None = None
) -> str:
    """The page, with a table of `changes` and below it one of all measures.

    Takes 2 s, and 2 s more if `cache` does not hold the script of the charts yet; about 1 MB.
    """
    drawing, library = Drawing(), Library(cache)
    try:
        first, parts = sections(comparison)
        every = [first, *(one for part in parts for one in part.charts)]
        drawing.begin(every)
        charts = {chart.id: {"spec": chart.spec, "readout": chart.readout} for chart in every if chart.spec is not None}
        title = _title(comparison)
        body = _body(comparison, changes, judged, title, first, parts, drawing.end())
        return document(title, body, charts, {}, library.script(), style=_STYLE.read_text(encoding="utf-8"))
    finally:
        drawing.close()
        library.close()


def _title(comparison: Comparison) -> str:
    names = [
        run.about.name for run in (comparison.before, comparison.after) if run.about is not None and run.about.name
    ]
    return f"{' and '.join(dict.fromkeys(names)) or 'two runs'}: A and B"


def _body(
    comparison: Comparison,
    changes: Sequence[Change],
    judged: Sequence[Judged],
    title: str,
    first: Chart,
    parts: Sequence[Section],
    drawings: Mapping[str, str],
) -> str:
    links = [("overview", "Overview"), ("moved", "What moved"), *((part.id, part.title) for part in parts)]
    links += [("measures", "All measures"), ("setups", "What else differs")]
    plots = "".join(
        f'<section id="{part.id}"><h2>{marks.text(part.title)}</h2>'
        f"{''.join(figure(chart, drawings) for chart in part.charts)}</section>"
        for part in parts
    )
    return framed(
        links,
        f'<div id="overview">{_head(comparison, judged, title)}{figure(first, drawings)}</div>'
        f"{_moved(comparison, changes)}{plots}{_all(comparison)}{tables.surroundings(comparison)}"
        f"<footer>Written by knavtool {__version__} from two runs.</footer>",
    )


def _head(comparison: Comparison, judged: Sequence[Judged], title: str) -> str:
    told = "".join(f"<li>{marks.text(one)}</li>" for one in cautions(comparison))
    warnings = f'<ul class="warnings" aria-label="What to know of these runs">{told}</ul>' if told else ""
    return (
        f'<header class="head"><div class="title"><h1>{marks.text(title)}</h1>{_verdict(judged)}</div>'
        f"{_which('A', comparison.before)}{_which('B', comparison.after)}{_thresholds(judged)}{warnings}"
        f'<p class="clock">{marks.text(ONE_AGAINST_ONE)}</p>'
        f'<div class="tiles">{_tiles(comparison)}</div></header>'
    )


def _which(key: str, run: Run) -> str:
    look = OF_TWO[key]
    dash = " ".join(map(str, look.dash))
    line = (
        '<svg class="sample" viewBox="0 0 34 10" width="34" height="10" aria-hidden="true">'
        f'<path d="M0 5H34" stroke="{look.color}" stroke-width="2.4" stroke-dasharray="{dash}"/></svg>'
    )
    return f'<p class="which"><b>{key}</b> {line} {marks.text(headline(run))}</p>'


def _verdict(judged: Sequence[Judged]) -> str:
    if not judged:
        return ""
    missed = sum(not verdict.passed for _, verdict in judged)
    kind, sign = ("failed", "✕") if missed else ("passed", "✓")
    several = "" if len(judged) == 1 else "s"
    word = f"{missed} of {len(judged)} threshold{several} missed" if missed else f"{len(judged)} threshold{several} met"
    return f'<p class="verdict {kind}"><span aria-hidden="true">{sign}</span> {word}</p>'


def _thresholds(judged: Sequence[Judged]) -> str:
    missed = "".join(
        f"<li><b>{marks.text(one)}</b><br>{marks.text(verdict.message)}</li>"
        for one, verdict in judged
        if not verdict.passed
    )
    return f'<div class="failures"><h2>Thresholds missed</h2><ul>{missed}</ul></div>' if missed else ""


def _tiles(comparison: Comparison) -> str:
    by_name = {change.name: change for change in comparison.changes}
    measures = {
        name: change.after if change.after.value is not None else change.before for name, change in by_name.items()
    }
    return "".join(tables.tile(by_name[one.measure], one) for one in figures.chosen_of(measures))


def _moved(comparison: Comparison, changes: Sequence[Change]) -> str:
    told = marks.text(f"{counted(comparison)}.")
    shown = tables.table(changes, "What moved") if changes else '<p class="absent">Nothing moved.</p>'
    return f'<section id="moved"><h2>What moved</h2><p>{told}</p>{tables.legend()}{shown}</section>'


def _all(comparison: Comparison) -> str:
    every = tables.table(chosen(comparison, every=True), "All measures")
    return f'<section id="measures"><h2>All measures</h2>{every}</section>'
