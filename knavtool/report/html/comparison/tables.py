"""The table of measures with small bars, the tiles, and what else differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.cautions import setups
from knavtool.measure.comparing import Word
from knavtool.measure.names import meaning_of
from knavtool.report.compared.cells import SIGNS, cells
from knavtool.report.html import marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.comparing import Change, Comparison
    from knavtool.report.measured.figures import Figure

_MIDDLE, _LONGEST = 60, 54  # of a bar, in its own pixels
_NUMBER = ' class="n"'
_HEADS = (
    ("measure", ""),
    *((head, _NUMBER) for head in ("A", "B", "change", "")),
    ("", ""),
    ("n", _NUMBER),
    ("result", ""),
)


def tile(change: Change, figure: Figure) -> str:
    """One figure: its name, both values, and how it moved."""
    one = cells(change)
    moved = f"{one.relative or one.difference} {one.word}" if change.moved else one.word
    return (
        f'<a class="tile {change.word}" href="#moved" title="{marks.text(meaning_of(change.name))}">'
        f'<span class="name">{marks.text(figure.title)}</span>'
        f'<span class="number"><data data-measure="{change.name}">{marks.text(_narrow(one.after))}</data></span>'
        f'<span class="under">A {marks.text(_narrow(one.before))}</span>'
        f'<span class="word">{SIGNS[change.word]} {marks.text(moved)}</span></a>'
    )


def table(changes: Sequence[Change], caption: str) -> str:
    """Measures in rows; a bar to the right is more, one to the left less."""
    heads = "".join(f'<th scope="col"{cls}>{head}</th>' for head, cls in _HEADS)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{marks.text(caption)}"><table class="compared">'
        f"<caption>{marks.text(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(map(_row, changes))}</tbody></table></div>"
    )


def _row(change: Change) -> str:
    one = cells(change)
    numbers = "".join(
        f'<td class="n">{marks.text(_narrow(text))}</td>'
        for text in (one.before, one.after, one.difference, one.relative)
    )
    why = f' <span class="soft">{marks.text(one.why)}</span>' if one.why else ""
    return (
        f'<tr class="{change.word}"><th scope="row" title="{marks.text(meaning_of(change.name))}">'
        f"<code>{marks.text(one.measure)}</code></th>{numbers}<td>{_bar(change)}</td>"
        f'<td class="n">{marks.text(one.n)}</td><td class="word">{SIGNS[change.word]} {one.word}{why}</td></tr>'
    )


def _bar(change: Change) -> str:
    """The relative change to the right or left of a line; one of more than the whole, or from nothing, has a point."""
    difference = change.difference
    if not change.moved or not difference:
        return ""
    share = 1.0 if change.relative is None else min(abs(change.relative), 1.0)
    size = max(share * _LONGEST, 1.5)
    way = 1 if difference > 0 else -1
    left = _MIDDLE if way > 0 else _MIDDLE - size
    beyond = change.relative is None or abs(change.relative) > 1
    tip = _MIDDLE + way * _LONGEST
    point = f'<path d="M{tip} 1l{way * 5} 5l{-way * 5} 5z"/>' if beyond else ""
    return (
        f'<svg class="bar" viewBox="0 0 120 12" width="96" height="12" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="axis" d="M{_MIDDLE} 0V12"/>'
        f'<rect x="{left:.1f}" y="2" width="{size:.1f}" height="8"/>{point}</svg>'
    )


def surroundings(comparison: Comparison) -> str:
    """What else is different: machine, server, components and their settings."""
    rows = [(name, one or "unknown", other or "unknown") for name, one, other in setups(comparison)]
    told = (
        marks.table(("what", "A", "B"), rows, caption="What else differs", classes="settings")
        if rows
        else '<p class="absent">No difference of machine, cluster and components is known.</p>'
    )
    return f'<section id="setups"><h2>What else differs</h2>{told}</section>'


def legend(words: Sequence[Word] = (Word.BETTER, Word.WORSE, Word.MOVED)) -> str:
    """What the signs and bars mean."""
    meanings = {
        Word.BETTER: "better",
        Word.WORSE: "worse",
        Word.MOVED: "moved, and neither way is better",
    }
    signs = ", ".join(f"{SIGNS[word]} {meanings[word]}" for word in words)
    return (
        f'<p class="how">{signs}. A bar to the right is more, to the left less; at its full length it is the whole of '
        "A's value, and with a point more than that. Measures that differ by no more than 1 %, or than the clock can "
        "tell apart, did not move.</p>"
    )


def _narrow(text: str) -> str:
    return text.replace(" ", "\u00a0")
