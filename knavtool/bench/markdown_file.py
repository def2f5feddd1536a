"""A result as Markdown, for pull requests and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.result import Outcome
from knavtool.bench.words import cautions, cell_text, headline, setting, word
from knavtool.report import files
from knavtool.report.measured.markdown_file import inline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knavtool.bench.result import Result

NAME = "result.md"
_SIGNS = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.UNKNOWN: "❔"}


def document(result: Result) -> str:
    """The verdict, what must be known, and a table of contenders and measures for each scenario."""
    parts = [
        f"## {inline(result.name)}",
        inline(result.description),
        f"**{inline(headline(result))}**",
        "\n".join(f"> {inline(one)}" for one in cautions(result)),
        "\n".join(_verdict(result)),
        *("\n".join(_table(result, scenario)) for scenario in result.scenarios),
        f"<sub>{inline(setting(result))}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(path: Path, result: Result) -> None:
    """Write it, whole or not at all. Raises OutputError."""
    files.write(path, document(result))


def _verdict(result: Result) -> Iterator[str]:
    for one in result.verdict:
        where = f" ({one.scenario})" if one.scenario else ""
        about = f"{one.contender}{where}: {one.text}: {one.outcome}, {one.message}"
        yield f"- {_SIGNS[one.outcome]} {inline(about)}"


def _table(result: Result, scenario: str) -> Iterator[str]:
    if scenario:
        yield f"### {inline(scenario)}\n"
    yield f"| contender | {' | '.join(map(inline, result.measures))} |"
    yield f"|---|{'---|' * len(result.measures)}"
    for contender in result.contenders:
        name = f"{contender.name} (baseline)" if contender.name == result.baseline else contender.name
        row = [inline(name)]
        for measure in result.measures:
            cell = result.cell(scenario, contender.name, measure)
            row.append("<br>".join(inline(text) for text in (cell_text(cell), word(result, cell)) if text))
        yield f"| {' | '.join(row)} |"
