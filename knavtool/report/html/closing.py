"""The last sections: all measures, the steps of the run, the environment, and the tables to take away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.measure import names
from knavtool.report.html import marks
from knavtool.report.measured.numbers import text as shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.measure.table import Column, Measure, Measured, Table

_MOST_STEPS = 400
_MOST_ROWS = 20
_SIGNS = {"ok": "✓ ok", "failed": "✕ failed", "skipped": "– skipped", "cancelled": "■ cancelled"}  # noqa: RUF001


def measures(measured: Measured) -> str:
    """Every measure: single ones in a table, distributions in another."""
    single = [
        (name, measure, names.SINGLE[name][1]) for name, measure in measured.measures.items() if name in names.SINGLE
    ]
    rows = "".join(
        f'<tr><th scope="row"><code>{marks.text(name)}</code></th><td class="n" data-measure="{marks.text(name)}">'
        f"{marks.text(shown(measure))}</td><td>{marks.text(meaning)}"
        f"{_why(measure)}</td></tr>"
        for name, measure, meaning in single
    )
    head = "".join(f'<th scope="col">{marks.text(one)}</th>' for one in names.STATISTICS)
    spread = ""
    for name, quantity in names.DISTRIBUTIONS.items():
        found = [measured.measures[f"{name}.{statistic}"] for statistic in names.STATISTICS]
        cells = "".join(f'<td class="n" data-measure="{one.name}">{marks.text(shown(one))}</td>' for one in found)
        spread += (
            f'<tr><th scope="row" title="{marks.text(quantity.text)}"><code>{name}</code></th>{cells}'
            f'<td class="n">{found[0].n:,}</td></tr>'
        )
    return (
        '<section id="measures"><h2>Measures</h2>'
        '<div class="scroll whole" tabindex="0" role="region" aria-label="Distributions"><table>'
        f'<thead><tr><th scope="col">measure</th>{head}<th scope="col">n</th></tr></thead>'
        f"<tbody>{spread}</tbody></table></div>"
        '<div class="scroll whole" tabindex="0" role="region" aria-label="Single measures"><table>'
        '<thead><tr><th scope="col">measure</th><th scope="col">value</th><th scope="col">meaning</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _why(measure: Measure) -> str:
    return f'<br><span class="soft">{marks.text(measure.why)}</span>' if measure.value is None and measure.why else ""


def steps(measured: Measured) -> str:
    """Each step with its message, indented below the one around it."""
    rows = list(measured.tables["steps"].dicts())
    left = ""
    if len(rows) > _MOST_STEPS:
        failed = [row for row in rows[_MOST_STEPS:] if row["result"] == "failed"][:_MOST_STEPS]
        shown_rows = [*rows[:_MOST_STEPS], *failed]
        left = f'<p class="soft">{len(rows) - len(shown_rows)} more steps, none of which failed, are in the table.</p>'
        if len(failed) == _MOST_STEPS:
            left = '<p class="soft">More steps are in the table.</p>'
        rows = shown_rows
    depths = _depths(rows)
    body = "".join(_step(row, depths[row["step"]]) for row in rows)
    if not body:
        return '<section id="steps"><h2>Checks and steps</h2><p class="absent">No step was recorded.</p></section>'
    heads = "".join(f'<th scope="col">{one}</th>' for one in ("result", "step", "from", "took", "message"))
    return (
        '<section id="steps"><h2>Checks and steps</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Checks and steps"><table class="steps">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{left}</section>"
    )


def _step(row: Mapping[str, Any], depth: int) -> str:
    result = row["result"] or "cancelled"
    took = None if row["ended"] is None or row["started"] is None else row["ended"] - row["started"]
    detail = f' <span class="soft">{marks.text(row["detail"] or row["kind"])}</span>'
    return (
        f'<tr class="{marks.text(result)}"><td class="result">{marks.text(_SIGNS.get(result, result))}</td>'
        f'<td style="padding-left:{0.6 + min(depth, 12) * 1.1:.1f}rem">{marks.text(row["name"])}{detail}</td>'
        f'<td class="n">{_seconds(row["started"])}</td><td class="n">{_seconds(took)}</td>'
        f"<td>{marks.lines(row['message'] or '')}</td></tr>"
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}\u00a0s"


def _depths(rows: list[dict[str, Any]]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for row in rows:
        depths[row["step"]] = depths.get(row["parent"], -1) + 1
    return depths


def environment(measured: Measured) -> str:
    """Where the run took place, and the settings of what took part."""
    about = measured.about
    known = "".join(
        f"<dt>{marks.text(name)}</dt><dd>{marks.text(value) or 'unknown'}</dd>"
        for name, value in about.environment.items()
    )
    components = measured.tables["components"]
    rows = [
        [*(value if value not in (None, "") else "unknown" for value in row), changed or "nothing"]
        for *row, changed in components.rows
    ]
    table = (
        marks.table([column.name for column in components.columns], rows, caption="Components", classes="settings")
        if rows
        else '<p class="absent">Versions and settings of components: unknown.</p>'
    )
    gaps = measured.tables["gaps"]
    missed = ""
    if gaps.rows:
        heads = [column.name for column in gaps.columns]
        missed = f"<h3>Gaps</h3>{marks.table(heads, gaps.rows, caption='Gaps in the recording')}"
    return (
        f'<section id="environment"><h2>Environment</h2><dl class="environment">{known}</dl>'
        f"<h3>Components</h3>{table}{missed}</section>"
    )


def data(measured: Measured, held: Mapping[str, tuple[str, int]]) -> str:
    """The tables: the first rows as HTML, all of them as CSV from what the page holds."""
    parts = "".join(_table(table, held[table.name][1]) for table in measured.tables.values())
    return (
        '<section id="data"><h2>Tables</h2><p class="how">All that the plots are made of. '
        "Moments are seconds since the recording began.</p><noscript><p>Saving whole tables needs scripts, or "
        f"<code>knavtool report --format csv</code>.</p></noscript>{parts}</section>"
    )


def _heading(column: Column) -> str:
    unit = {"gpus": "", "pods": "", "count": "", "bytes": "MiB"}.get(column.unit, column.unit)
    return f"{column.name} [{unit}]" if unit else column.name


def _table(table: Table, held: int) -> str:
    count = len(table.rows)
    part = (
        f" The page holds the first {held:,}; <code>knavtool report --format csv</code> writes all."
        if held < count
        else ""
    )
    more = (
        f'<p class="soft">The first {min(count, _MOST_ROWS)} of {count:,} rows.{part}</p>'
        if count > _MOST_ROWS or part
        else ""
    )
    if not count:
        return f'<p class="absent"><b>{marks.text(table.title)}</b>: empty</p>'
    meanings = "".join(f"<dt>{column.name}</dt><dd>{marks.text(column.text)}</dd>" for column in table.columns)
    heads = [_heading(column) for column in table.columns]
    body = marks.table(
        heads, table.rows[:_MOST_ROWS], caption=table.title, units=[column.unit for column in table.columns]
    )
    return (
        f'<details><summary><b>{marks.text(table.title)}</b> <span class="soft">{count:,} rows</span></summary>'
        f'<p><button type="button" data-csv="{table.name}">Save {table.name}.csv</button></p>{body}{more}'
        f'<details class="meanings"><summary>Columns</summary><dl>{meanings}</dl></details></details>'
    )
