"""What was measured as Markdown, for the pages of CI systems and for notes."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from knavtool.measure import names
from knavtool.report import files
from knavtool.report.measured.numbers import duration, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.measure.table import Measured

_MARKS = re.compile(r"[\\`*_\[\]|~#@$]")
_VERDICTS = {True: "✅ passed", False: "❌ failed", None: "⏹️ did not end"}
_STATISTICS = ("mean", "p50", "p95", "max")
PICTURES = ("occupancy", "timeline", "latency", "gantt")


def document(measured: Measured, pictures: Mapping[str, str] | None = None) -> str:
    """A heading, what the reader must know, and tables of the measures that are known.

    `pictures` are titles by the paths of pictures.
    """
    about = measured.about
    parts = [
        f"## {inline(about.name or 'run')}: {_VERDICTS[about.passed]}",
        *(f"> saturated: {inline(reason)}" for reason in about.saturated),
        *([] if about.whole else ["> the recording was cut off"]),
        *(f"> {inline(note)}" for note in about.notes),
        *(f"![{inline(title)}]({path})" for path, title in (pictures or {}).items()),
        "\n".join(_single(measured)),
        "\n".join(_distributions(measured)),
        _about(measured),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(path: Path, measured: Measured, *, drawings: bool = True) -> list[Path]:
    """Write the document, and with `drawings` the pictures that it shows beside it; returns all paths.

    Takes 2 s with drawings. Raises OutputError.
    """
    pictures, written = {}, []
    if drawings:
        from knavtool.report.html.drawing import draw
        from knavtool.report.html.sections import sections

        first, parts = sections(measured)
        charts = {chart.id: chart for chart in [first, *(one for part in parts for one in part.charts)]}
        chosen = [charts[name] for name in PICTURES if name in charts and charts[name].spec is not None]
        for name, svg in draw(chosen).items():
            picture = path.with_name(f"{path.stem}.{name}.svg")
            files.write(picture, svg)
            pictures[picture.name] = charts[name].title
            written.append(picture)
    files.write(path, document(measured, {name: pictures[name] for name in sorted(pictures)}))
    return [path, *written]


def _single(measured: Measured) -> Iterator[str]:
    known = [one for one in measured.measures.values() if one.name in names.SINGLE and one.value is not None]
    if known:
        yield "| measure | value | n | |\n|---|--:|--:|---|"
    for one in known:
        yield f"| {one.name} | {text(one)} | {one.n} | {inline(names.SINGLE[one.name][1])} |"


def _distributions(measured: Measured) -> Iterator[str]:
    known = [name for name in names.DISTRIBUTIONS if measured.measures[f"{name}.mean"].value is not None]
    if known:
        yield f"| measure | {' | '.join(_STATISTICS)} | n | |\n|---|{'--:|' * len(_STATISTICS)}--:|---|"
    for name in known:
        found = [measured.measures[f"{name}.{statistic}"] for statistic in _STATISTICS]
        cells = " | ".join(text(one) for one in found)
        yield f"| {name} | {cells} | {found[0].n} | {inline(names.DISTRIBUTIONS[name].text)} |"


def _about(measured: Measured) -> str:
    about = measured.about
    known = [f"{' '.join(duration(about.seconds))} recorded from {about.began}", f"clock: {about.clock}"]
    if about.lag_p95 is not None:
        known.append(f"lag of the watch, P95: {' '.join(duration(about.lag_p95))}")
    known += [f"{name} {value}" for name, value in about.environment.items() if value]
    return f"<sub>{' · '.join(map(inline, known))}</sub>"


def inline(words: str) -> str:
    """Text that a Markdown reader shows as it is: one line, nothing in it is markup."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", escape(" ".join(words.split()), quote=False))
