"""`report.html`: one file that asks nobody for anything."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.report import files
from knavtool.report.html import closing, marks, theme
from knavtool.report.html.drawing import Drawing
from knavtool.report.html.embedding import packed, packed_bytes, packed_tables
from knavtool.report.html.head import head
from knavtool.report.html.library import Library
from knavtool.report.html.sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.measure.table import Measured
    from knavtool.report.html.charts.chart import Chart
    from knavtool.report.html.sections import Section

_HERE = Path(__file__).parent
CLOSING = (
    ("measures", "Measures"),
    ("steps", "Checks and steps"),
    ("environment", "Environment"),
    ("data", "Tables"),
)
"""The last sections."""
_ASKS = "connect-src 'self'; "


def write(path: Path, measured: Measured, *, title: str = "", cache: Path | None = None) -> None:
    """Write the page; it is there whole or not at all. Raises OutputError."""
    files.write(path, render(measured, title=title, cache=cache))


def render(measured: Measured, *, title: str = "", cache: Path | None = None) -> str:
    """The page of a run; `title` is the run's name unless one is given.

    Takes 2 s, and 3 s more if `cache` does not hold the script of the charts yet. The page has at most 3 MB for 10,000
    pods, and hardly more for any run.
    """
    with contextlib.closing(Renderer(cache)) as renderer:
        return renderer.render(measured, title=title)


class Renderer:
    """Renders one page after the other; what takes a second to start is started once. `close` ends it."""

    def __init__(self, cache: Path | None) -> None:
        self._drawing, self._library = Drawing(), Library(cache)

    def render(self, measured: Measured, *, title: str = "") -> str:
        """The page of a run."""
        first, parts = sections(measured)
        every = [first, *(one for part in parts for one in part.charts)]
        self._drawing.begin(every)
        # Meanwhile, here:
        held = packed_tables(measured.tables.values())
        name = title or measured.about.name or "run"
        charts = {chart.id: {"spec": chart.spec, "readout": chart.readout} for chart in every if chart.spec is not None}
        body = _body(measured, name, first, parts, held, self._drawing.end())
        return document(name, body, charts, held, self._library.script())

    def close(self) -> None:
        """End its processes."""
        self._drawing.close()
        self._library.close()


def document(
    title: str,
    body: str,
    charts: Mapping[str, object],
    held: Mapping[str, tuple[str, int]],
    library: str,
    *,
    style: str = "",
    live: str = "",
) -> str:
    """The file: the body, what it holds as data, and the scripts; `style` is added to that of all pages.

    One with the script `live` may ask who has sent it, any other asks nobody.
    """
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    style = theme.css_variables() + (_HERE / "page.css").read_text(encoding="utf-8") + style
    # Scripts run only if they are these; styles may be inline, because drawings have them; nothing may be fetched.
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, filter(None, (script, library, live))))}; "
        f"style-src 'unsafe-inline'; {_ASKS if live else ''}base-uri 'none'; form-action 'none'"
    )
    data = {"library": packed_bytes(library.encode()), "charts": packed(charts)}
    data |= {f"table-{name}": text for name, (text, _) in held.items()}
    blocks = "\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in data.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<meta name="generator" content="knavtool {__version__}">\n'
        f"<title>{marks.text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n{blocks}\n"
        f"<script>{script}</script>\n{f'<script>{live}</script>' if live else ''}\n</body>\n</html>\n"
    )


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _body(
    measured: Measured,
    title: str,
    first: Chart,
    parts: list[Section],
    held: dict[str, tuple[str, int]],
    drawings: Mapping[str, str],
) -> str:
    main = "".join(
        f'<section id="{part.id}"><h2>{marks.text(part.title)}</h2>'
        f"{''.join(figure(chart, drawings) for chart in part.charts)}</section>"
        for part in parts
    )
    return framed(
        [("overview", "Overview"), *((part.id, part.title) for part in parts), *CLOSING],
        f'<div id="overview">{head(measured, title)}{figure(first, drawings)}</div>'
        f"{main}"
        f"{closing.measures(measured)}{closing.steps(measured)}{closing.environment(measured)}"
        f"{closing.data(measured, held)}"
        f"<footer>Written by knavtool {__version__} from a recording.</footer>",
    )


def framed(parts: Iterable[tuple[str, str]], main: str) -> str:
    """What stands around a page: patterns, and the contents with parts of these ids and titles."""
    contents = "".join(f'<li><a href="#{name}">{marks.text(text)}</a></li>' for name, text in parts)
    return (
        f'<svg class="patterns" width="0" height="0" aria-hidden="true">{theme.patterns()}</svg>'
        '<a class="skip" href="#report">Skip to the report</a>'
        f'<nav aria-label="Contents"><p class="brand">knavtool</p><ul>{contents}</ul></nav>'
        f'<main id="report" tabindex="-1">{main}</main>'
    )


def figure(chart: Chart, drawings: Mapping[str, str]) -> str:
    """A chart with its title, how to read it, and its values as a table; without a specification, why."""
    title = marks.text(chart.title)
    if chart.spec is None:
        return f'<p class="absent" id="{chart.id}"><b>{title}</b>: {marks.text(chart.why)}</p>'
    values = (
        f"<details><summary>Values</summary>{marks.table(chart.columns, chart.rows, caption=chart.title)}</details>"
        if chart.rows
        else ""
    )
    return (
        f'<figure class="chart" id="{chart.id}" aria-labelledby="{chart.id}-title">'
        f'<h3 id="{chart.id}-title">{title}</h3>'
        f'<p class="how">{marks.text(chart.text)}</p>'
        f'<div class="plot" data-chart="{chart.id}" role="img" aria-label="{title}. {marks.text(chart.says)}">'
        f"{drawings.get(chart.id, '')}</div>{values}</figure>"
    )
