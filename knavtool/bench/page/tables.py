"""The tables of the page: the verdict, contenders by measures, settings, and every repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.judge import Word
from knavtool.bench.result import Outcome
from knavtool.bench.tunables import TITLE, rows, unknown
from knavtool.bench.words import between, more, shown, word
from knavtool.report.html import marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.bench.result import Attempt, Cell, Result
    from knavtool.bench.tunables import Value

_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✕", Outcome.UNKNOWN: "?"}
_WORDS = {Word.BETTER: "▲", Word.WORSE: "▼", Word.MOVED: "◆", Word.SAME: "=", Word.UNKNOWN: "?"}
_UNKNOWN = '<td class="absent">unknown</td>'
_CLASSES = {Word.BETTER: "better", Word.WORSE: "worse"}


def verdict(result: Result) -> str:
    """What the rules say, the broken ones first."""
    order = [Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED]
    items = "".join(
        f'<li class="{one.outcome.name.lower()}"><span aria-hidden="true">{_SIGNS[one.outcome]}</span> '
        f"<b>{marks.text(one.contender)}</b>{f' ({marks.text(one.scenario)})' if one.scenario else ''}: "
        f'{marks.text(one.text)}: {one.outcome} <span class="soft">{marks.text(one.message)}</span></li>'
        for one in sorted(result.verdict, key=lambda one: order.index(one.outcome))
    )
    return f'<ul class="rules" aria-label="Verdict">{items}</ul>' if items else ""


def comparison(result: Result) -> str:
    """A table of contenders and measures for each scenario."""
    tables = "".join(_compared(result, scenario) for scenario in result.scenarios)
    percent = f"{100 * result.same_within:.4g} %"
    return (
        '<section id="compared"><h2>Contenders</h2>'
        '<p class="how">Medians of the repetitions, with their 95 % interval. Below, how each compares with '
        f"{marks.text(result.baseline)}: ▲ better, ▼ worse, ◆ moved where neither way is better, = the same within "
        f"{percent}, ? too few repetitions to tell.</p>{tables}</section>"
    )


def _compared(result: Result, scenario: str) -> str:
    heads = "".join(f'<th scope="col"><code>{marks.text(one)}</code></th>' for one in result.measures)
    rows = "".join(
        f'<tr><th scope="row">{marks.text(one.name)}'
        f"{'<span class=baseline>baseline</span>' if one.name == result.baseline else ''}</th>"
        f"{''.join(_cell(result, result.cell(scenario, one.name, name)) for name in result.measures)}</tr>"
        for one in result.contenders
    )
    title = marks.text(scenario or "Contenders and measures")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="bench">'
        f'<caption>{title}</caption><thead><tr><th scope="col">contender</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(result: Result, cell: Cell) -> str:
    if cell.summary is None:
        return f'<td class="absent">unknown<br><span class="soft">{marks.text(cell.why)}</span></td>'
    around = between(cell.summary, cell.measure)
    compared = ""
    if cell.comparison is not None:
        kind = _CLASSES.get(cell.comparison.word, "")
        sign = _WORDS[cell.comparison.word]
        title = f' title="{marks.text(more(cell))}"' if more(cell) else ""
        compared = f'<br><span class="word {kind}"{title}>{sign} {marks.text(word(result, cell))}</span>'
    mark = '<span title="made with repetitions that are marked"> *</span>' if cell.marked else ""
    interval = f'<br><span class="soft">{marks.text(around)}</span>' if around else ""
    return f"<td><b>{marks.text(shown(cell.summary.median, cell.measure))}</b>{mark}{interval}{compared}</td>"


def tunables(result: Result) -> str:
    """What bounds how fast the processes of each contender work; what others have nothing like is marked."""
    found, lacking = rows(result), unknown(result)
    names = [one.name for one in result.contenders]
    heads = "".join(f'<th scope="col">{marks.text(name)}</th>' for name in ("limit", "all contenders", *names))
    body = "".join(
        f'<tr><th scope="row">{one.title}</th>{_bounds(one.shared)}'
        f"{''.join(_bounds(one.own[name]) if name in one.own else _UNKNOWN for name in names)}</tr>"
        for one in found
    )
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{TITLE}"><table class="settings">'
        f"<caption>{TITLE}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        if found
        else ""
    )
    rest = f'<p class="absent">Unknown for {marks.text(", ".join(lacking))}.</p>' if lacking else ""
    return (
        f'<section id="tunables"><h2>{TITLE}</h2><p class="how">What bounds how fast a process works, whatever its '
        "algorithm. Values to which another contender has nothing alike are marked; a default is the program&#39;s own."
        f"</p>{table}{rest}</section>"
    )


def _bounds(values: Sequence[Value]) -> str:
    """A cell with one line for each value."""
    lines = "".join(f"<div>{_marked(one)}</div>" for one in values)
    differs = any(one.differs for one in values)
    return f'<td class="long{" differs" if differs else ""}">{lines or "–"}</td>'  # noqa: RUF001


def _marked(one: Value) -> str:
    text = marks.text(str(one))
    return f"<mark>{text}</mark>" if one.differs else text


def settings(result: Result) -> str:
    """The processes of each contender with version and settings; what differs between contenders is marked."""
    told: dict[str, dict[str, str]] = {}
    for contender in result.contenders:
        for one in contender.components:
            parts = (one.get("version"), one.get("settings"), one.get("changed") and f"set: {one['changed']}")
            told.setdefault(str(one["component"]), {})[contender.name] = " ".join(str(part) for part in parts if part)
    names = [one.name for one in result.contenders]
    rows = []
    for process, by_contender in told.items():
        values = {by_contender[name] for name in names if name in by_contender}
        differs = len(values) > 1
        cells = "".join(
            f'<td class="long{" differs" if differs and name in by_contender else ""}">'
            f"{marks.text(by_contender.get(name, '–'))}</td>"  # noqa: RUF001
            for name in names
        )
        rows.append(f'<tr><th scope="row"><code>{marks.text(process)}</code></th>{cells}</tr>')
    heads = "".join(f'<th scope="col">{marks.text(name)}</th>' for name in names)
    return (
        '<section id="settings"><h2>Settings</h2><p class="how">Versions and arguments of every process. Those that '
        "differ between contenders which have the process are marked.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Settings"><table class="settings">'
        f'<caption>Settings</caption><thead><tr><th scope="col">process</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def repetitions(result: Result) -> str:
    """Every attempt with a link to its report."""
    rows = "".join(map(_attempt, result.attempts))
    heads = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("contender", "scenario", "repetition", "began", "start [s]", "run [s]", "result", "report")
    )
    return (
        '<section id="runs"><h2>All repetitions</h2><div class="scroll" tabindex="0" role="region" '
        'aria-label="All repetitions"><table><caption>All repetitions</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _attempt(one: Attempt) -> str:
    which = "warm-up" if one.number == 0 else str(one.number) + (f", attempt {one.attempt}" if one.attempt > 1 else "")
    told = "; ".join([*([one.message] if one.message else []), *one.marks])
    state = f"{one.status}{'' if one.counted or one.number == 0 else ', not counted'}{f': {told}' if told else ''}"
    numbers = "".join(
        f'<td class="n">{f"{one.seconds[name]:.1f}" if name in one.seconds else "–"}</td>'  # noqa: RUF001
        for name in ("start", "run")
    )
    report = f'<a href="{marks.text(one.directory)}/report.html">report</a>' if one.measured else ""
    return (
        f"<tr><td>{marks.text(one.contender)}</td><td>{marks.text(one.scenario)}</td><td>{which}</td>"
        f'<td>{marks.text(one.began[:19])}</td>{numbers}<td class="long">{marks.text(state)}</td><td>{report}</td></tr>'
    )
