"""A result as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.words import between, cautions, headline, more, shown, word
from knavtool.report.text import in_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.bench.result import Result

_HEADER = ("MEASURE", "CONTENDER", "MEDIAN", "95 %", "N", "COMPARED")


def lines(result: Result) -> Iterator[str]:
    """A table of measures and contenders for each scenario, the verdict, and what must be known."""
    for scenario in result.scenarios:
        if scenario:
            yield f"{scenario}:"
        yield from in_columns([_HEADER, *_rows(result, scenario)])
        yield ""
    for one in result.verdict:
        where = f", {one.scenario}" if one.scenario else ""
        yield f"{one.outcome}: {one.contender}{where}: {one.text}: {one.message}"
    for text in cautions(result):
        yield f"note: {text}"
    yield headline(result)


def _rows(result: Result, scenario: str) -> Iterator[tuple[str, ...]]:
    for measure in result.measures:
        named = measure
        for contender in result.contenders:
            cell = result.cell(scenario, contender.name, measure)
            compared = "; ".join(filter(None, (word(result, cell), more(cell))))
            compared = "baseline" if contender.name == result.baseline else compared
            if cell.summary is None:
                yield named, contender.name, "unknown", "", "0", cell.why
            else:
                one = cell.summary
                median = shown(one.median, measure) + (" *" if cell.marked else "")
                yield named, contender.name, median, between(one, measure), str(one.n), compared
            named = ""
