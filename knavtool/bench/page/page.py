"""The page of a bench: the verdict, contenders and measures in a table, repetitions as points, curves over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.bench.page.curves import curves
from knavtool.bench.page.spread import spreads
from knavtool.bench.page.tables import comparison, repetitions, settings, tunables, verdict
from knavtool.bench.result import Outcome
from knavtool.bench.words import cautions, headline, setting
from knavtool.report import files
from knavtool.report.html import marks
from knavtool.report.html.drawing import Drawing
from knavtool.report.html.library import Library
from knavtool.report.html.page import document, figure, framed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.bench.result import Result
    from knavtool.measure.comparing import Run
    from knavtool.report.html.charts.chart import Chart

NAME = "index.html"
_STYLE = Path(__file__).with_name("page.css")


def write(path: Path, result: Result, runs: Mapping[str, Mapping[str, Run]], *, cache: Path | None = None) -> None:
    """Write the page. `runs` are one repetition of each contender, by scenario and name. Raises OutputError."""
    files.write(path, render(result, runs, cache=cache))


def render(result: Result, runs: Mapping[str, Mapping[str, Run]], *, cache: Path | None = None) -> str:
    """The page as text."""
    drawing, library = Drawing(), Library(cache)
    try:
        spread: dict[str, list[Chart]] = {}
        lines: dict[str, list[Chart]] = {}
        for number, scenario in enumerate(result.scenarios):
            prefix = f"s{number}-" if len(result.scenarios) > 1 else ""
            spread[scenario] = list(spreads(result, scenario, prefix))
            lines[scenario] = curves(runs[scenario], prefix) if runs.get(scenario) else []
        every = [one for charts in (*spread.values(), *lines.values()) for one in charts]
        drawing.begin(every)
        charts = {one.id: {"spec": one.spec, "readout": one.readout} for one in every if one.spec is not None}
        body = _body(result, spread, lines, drawing.end())
        style = _STYLE.read_text(encoding="utf-8")
        return document(result.name, body, charts, {}, library.script(), style=style)
    finally:
        drawing.close()
        library.close()


def _body(
    result: Result,
    spread: Mapping[str, list[Chart]],
    lines: Mapping[str, list[Chart]],
    drawings: Mapping[str, str],
) -> str:
    parts = [("overview", "Overview"), ("compared", "Contenders")]
    sections = []
    for number, scenario in enumerate(result.scenarios):
        named = f": {scenario}" if scenario else ""
        for name, title, charts in (
            ("points", "Repetitions", spread[scenario]),
            ("time", "Over time", lines[scenario]),
        ):
            if charts:
                parts.append((f"{name}-{number}", f"{title}{named}"))
                how = _OVER_TIME if name == "time" else ""
                shown = "".join(figure(one, drawings) for one in charts)
                sections.append(
                    f'<section id="{name}-{number}"><h2>{marks.text(title + named)}</h2>{how}{shown}</section>'
                )
    parts += [("tunables", "Rate limits"), ("settings", "Settings"), ("runs", "All repetitions")]
    return framed(
        parts,
        f'<div id="overview">{_head(result)}</div>{comparison(result)}{"".join(sections)}'
        f"{tunables(result)}{settings(result)}{repetitions(result)}"
        f"<footer>Written by knavtool {__version__}.</footer>",
    )


_OVER_TIME = (
    '<p class="how">One repetition of each contender, that with the median of the first measure. Time begins with the '
    "creation of its first pod.</p>"
)


def _head(result: Result) -> str:
    told = "".join(f"<li>{marks.text(one)}</li>" for one in cautions(result))
    warnings = f'<ul class="warnings" aria-label="What to know of this result">{told}</ul>' if told else ""
    about = f'<p class="when">{marks.text(result.description)}</p>' if result.description else ""
    return (
        f'<header class="head"><div class="title"><h1>{marks.text(result.name)}</h1>{_badge(result)}</div>'
        f'{about}<p class="headline">{marks.text(headline(result))}</p>{verdict(result)}{warnings}'
        f'<p class="clock">{marks.text(setting(result))}</p></header>'
    )


def _badge(result: Result) -> str:
    unknown = any(one.outcome is Outcome.UNKNOWN for one in result.verdict)
    if result.failed:
        kind, sign, word = "failed", "✕", "Failed"
    elif not result.whole:
        kind, sign, word = "ended", "…", "Not finished"
    elif not result.verdict:
        kind, sign, word = "ended", "≈", "Compared"
    elif unknown:
        kind, sign, word = "ended", "?", "Cannot tell"
    else:
        kind, sign, word = "passed", "✓", "Passed"
    return f'<p class="verdict {kind}"><span aria-hidden="true">{sign}</span> {word}</p>'
