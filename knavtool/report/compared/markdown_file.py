"""The comparison of two runs as Markdown, for the pages of CI systems and for notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.cautions import ONE_AGAINST_ONE, cautions, setups
from knavtool.report.compared.cells import SIGNS, cells, counted, headline, told
from knavtool.report.measured.markdown_file import inline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.measure.comparing import Change, Comparison
    from knavtool.report.compared.cells import Judged


def document(comparison: Comparison, changes: Sequence[Change], judged: Sequence[Judged] = ()) -> str:
    """Which runs, what must be known of them, thresholds, the table of `changes`, and what else differs."""
    parts = [
        "## What moved from A to B",
        f"A: {inline(headline(comparison.before))}<br>\nB: {inline(headline(comparison.after))}",
        *(f"> {inline(caution)}" for caution in cautions(comparison)),
        "\n".join(
            f"- {'✅' if verdict.passed else '❌'} {inline(str(threshold))}: {inline(verdict.message)}"
            for threshold, verdict in judged
        ),
        "\n".join(_table(changes)),
        f"{inline(counted(comparison))}.",
        "\n".join(f"- {inline(told(distance))}" for distance in comparison.distances),
        "\n".join(_setups(comparison)),
        f"<sub>{inline(ONE_AGAINST_ONE)}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield "| measure | A | B | change | | n | |\n|---|--:|--:|--:|--:|--:|---|"
    for change in changes:
        one = cells(change)
        word = f"{SIGNS[change.word]} {one.word}" + (f": {one.why}" if one.why else "")
        row = (one.measure, one.before, one.after, one.difference, one.relative, one.n, word)
        yield f"| {' | '.join(map(inline, row))} |"


def _setups(comparison: Comparison) -> Iterator[str]:
    found = setups(comparison)
    if found:
        yield "| what else differs | A | B |\n|---|---|---|"
    for row in found:
        yield f"| {' | '.join(inline(text or 'unknown') for text in row)} |"
