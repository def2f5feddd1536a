"""The first screen: verdict, warnings, clock, and the five figures."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from knavtool.report.html import figures, marks
from knavtool.report.measured.figures import chosen
from knavtool.report.measured.numbers import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.measure.table import About, Measured

_MOST_FAILED = 5
_INNER = ("run", "workflow", "block", "file")
_VERDICTS = {
    True: ("passed", "✓", "Passed"),
    False: ("failed", "✕", "Failed"),
    None: ("ended", "…", "Did not end"),
}
_RUNNING = ("running", "●", "Running")


def head(measured: Measured, title: str, *, going_on: bool = False) -> str:
    """The header of the page; there is no verdict yet on a run that is `going_on`."""
    about = measured.about
    kind, sign, word = _RUNNING if going_on else _VERDICTS[about.passed]
    tiles = "".join(figures.tile(measured, figure) for figure in chosen(measured))
    return (
        f'<header class="head"><div class="title"><h1>{marks.text(title)}</h1>'
        f'<p class="verdict {kind}"><span aria-hidden="true">{sign}</span> {word}</p></div>'
        f'<p class="when">{marks.text(_when(about))}</p>'
        f"{''.join(_failed(measured))}{''.join(_warnings(about))}"
        f'<p class="clock">{marks.text(clock(about))}</p>'
        f'<div class="tiles">{tiles}</div></header>'
    )


def clock(about: About) -> str:
    """Whose clock the moments are by, and how late the watch was."""
    if about.clock == "audit":
        first = "Moments are those of the API server's audit log."
    else:
        first = "Moments are those at which the watch reported a change, by the clock of the machine that recorded."
    if about.lag_p50 is None or about.lag_p95 is None or about.lag_max is None:
        return f"{first} How late the watch was is unknown."
    lags = [" ".join(duration(value)) for value in (about.lag_p50, about.lag_p95, about.lag_max)]
    spread = f"median; P95 {lags[1]}, at most {lags[2]}; n = {about.lag_n:,}"
    return f"{first} The watch reported them {lags[0]} later ({spread})."


def _when(about: About) -> str:
    try:
        began = dt.datetime.fromisoformat(about.began).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        began = about.began
    known = [began, f"{' '.join(duration(about.seconds))} recorded"]
    known += [f"{name} {about.environment[name]}" for name in ("context", "server") if about.environment.get(name)]
    return " · ".join(known)


def _failed(measured: Measured) -> Iterator[str]:
    """What failed, without the steps around it, which only repeat it."""
    failed = [row for row in measured.tables["steps"].dicts() if row["result"] == "failed"]
    parents = {row["parent"] for row in failed}
    tasks = [row for row in failed if row["step"] not in parents] or failed
    if not tasks:
        return
    yield f'<div class="failures"><h2>{len(tasks)} failed</h2><ul>'
    for row in tasks[:_MOST_FAILED]:
        detail = f' <span class="soft">{marks.text(row["detail"])}</span>' if row["detail"] else ""
        yield f"<li><b>{marks.text(row['name'])}</b>{detail}<br>{marks.lines(_cut(row['message'] or ''))}</li>"
    if len(tasks) > _MOST_FAILED:
        yield f'<li><a href="#steps">and {len(tasks) - _MOST_FAILED} more</a></li>'
    yield "</ul></div>"


def _cut(message: str) -> str:
    first = "\n".join(message.strip().splitlines()[:4])
    return first if len(first) < 600 and first == message.strip() else f"{first[:600]} …"


def _warnings(about: About) -> Iterator[str]:
    told = [
        f"Saturated: the machine or knavtool, not the scheduler, was the limit: {reason}" for reason in about.saturated
    ]
    if not about.whole:
        told.append("The recording was cut off; what came later is not known.")
    told += about.notes
    if told:
        items = "".join(f"<li>{marks.text(one)}</li>" for one in told)
        yield f'<ul class="warnings" aria-label="What to know of this recording">{items}</ul>'
