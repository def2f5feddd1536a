"""A result as Markdown, for pull requests and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.result import Outcome
from knavtool.bench.tunables import TITLE, rows, unknown
from knavtool.bench.words import cautions, cell_text, headline, setting, word
from knavtool.report import files
from knavtool.report.measured.markdown_file import inline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from knavtool.bench.result import Result
    from knavtool.bench.tunables import Row

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
        _tunables(result),
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


def _tunables(result: Result) -> str:
    """What bounds how fast contenders work, as far as it differs."""
    names, found = [one.name for one in result.contenders], rows(result)
    parts = []
    if differing := [one for one in found if one.differs]:
        heads = f"| limit | {' | '.join(map(inline, names))} |\n|---|{'---|' * len(names)}"
        parts += [f"### {TITLE} that differ", "\n".join([heads, *(_differing(one, names) for one in differing)])]
    elif found and len(names) > 1:
        parts.append(f"{TITLE}: no difference.")
    if lacking := unknown(result):
        parts.append(f"{TITLE} of {inline(', '.join(lacking))}: unknown.")
    return "\n\n".join(parts)


def _differing(row: Row, names: Sequence[str]) -> str:
    cells = (
        "<br>".join(f"**{inline(str(one))}**" if one.differs else inline(str(one)) for one in row.own.get(name, ()))
        for name in names
    )
    return f"| {row.title} | {' | '.join(cells)} |"


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
