"""Recording in, measures and tables out."""

from __future__ import annotations

import gc
import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from knavtool.measure import heat, load, rows, run
from knavtool.measure.gangs import Gangs, Queues
from knavtool.measure.reading import read
from knavtool.measure.statistics import distributions, percentile
from knavtool.measure.sweep import sweep
from knavtool.measure.table import About, Measured
from knavtool.measure.tables import COLUMNS, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.measure.facts import Facts
    from knavtool.measure.sweep import Swept

_INDEX = {f"{name}.{column.name}": number for name, columns in COLUMNS.items() for number, column in enumerate(columns)}


def measure_file(path: Path, *, going_on: bool = False) -> Measured:
    """Measure the recording in a file or directory; raises DocumentError for what is none.

    One of a run that is `going_on` is taken for whole. 50,000 pods take a few seconds, 20,000 some 200 MB.
    """
    with _without_garbage_collection():
        facts = read(path)
        facts.whole = facts.whole or going_on
        return measure(facts)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Nothing here is garbage; to look for it in a million rows again and again takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def measure(facts: Facts) -> Measured:
    """All tables and measures of a recording; every one is there, with None and the reason for what is not known."""
    gangs = Gangs(facts)
    queues = Queues(facts.things)
    queue_of, holders = {}, {}
    for pod in facts.pods:
        gang = gangs.of.get(pod.uid)
        queue = (gang.queue if gang is not None else "") or pod.queue
        title = queues.title(queue, pod.namespace)
        queue_of[pod.uid] = title
        if title not in holders:
            holders[title] = queues.holder(queue, pod.namespace)
    swept = sweep(facts, queue_of, holders)
    made: dict[str, list[tuple[Any, ...]]] = {
        **swept.rows,
        "pods": list(rows.pods(facts, gangs, queue_of)),
        "gangs": list(rows.gangs_of(facts, gangs, queue_of)),
        "spans": list(rows.spans_of(facts, gangs, queue_of)),
        "rates": list(rows.rates(facts)),
        "heat": heat.heat(facts, *(swept.window or (0.0, 0.0))),
        "preemptions": list(rows.preemptions(facts, gangs, queue_of)),
        "requests": list(facts.requests),
        "processes": list(load.processes(facts)),
        "steps": list(rows.steps(facts)),
        "gaps": list(facts.gaps),
        "components": list(facts.components),
        "tunables": list(facts.tunables),
    }
    made["queues"] = list(rows.queues(swept, made["pods"], made["gangs"], _INDEX))
    tables = {name: table(name, made[name]) for name in COLUMNS}
    measures = {one.name: one for one in (*run.measures(facts, swept, tables), *distributions(tables))}
    return Measured(about=_about(facts, swept), measures=dict(sorted(measures.items())), tables=tables)


def _about(facts: Facts, swept: Swept) -> About:
    root = next((step for step in facts.steps if step.kind == "run"), None)
    bound = [pod.bound for pod in facts.pods if pod.bound is not None and not pod.late]
    tool: list[str] = []
    busy: list[str] = []
    if swept.window is not None and bound:
        tool = list(load.tool_limits(facts, swept.window[0], max(bound)))
        busy = [*tool, *load.machine_limits(facts, swept.window[0], max(bound))]
    lags: Mapping[str, float | None] = {
        name: percentile(facts.lags, share) if facts.lags else None
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    }
    return About(
        name=_together(root.name) if root is not None else "",
        began=facts.began,
        seconds=facts.end,
        clock=facts.clock,
        whole=facts.whole,
        passed=root.result == "ok" if root is not None and root.ended is not None else None,
        lag_p50=lags["p50"],
        lag_p95=lags["p95"],
        lag_max=lags["max"],
        lag_n=len(facts.lags),
        saturated=busy,
        tool_limits=tool,
        notes=list(_notes(facts, swept)),
        environment=facts.environment,
    )


def _together(names: str) -> str:
    """Several workflows as a shell writes them, `gang-scheduling-{nodes,kueue,run}`, if their names begin alike."""
    each = names.split(", ")
    words = [name.split("-") for name in each]
    same = list(itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*words, strict=False)))
    first = "-".join(parts[0] for parts in same)
    if len(each) == 1 or not first or first in each:
        return names
    return f"{first}-{{{','.join(name.removeprefix(f'{first}-') for name in each)}}}"


def _notes(facts: Facts, swept: Swept) -> Iterator[str]:
    """What must be known to read the numbers."""
    if facts.clock_reason:
        yield f"moments come from the watch, not from the audit log: {facts.clock_reason}"
    if not facts.whole:
        cut = f" ({facts.damaged})" if facts.damaged else ""
        yield f"the recording was cut off after {facts.end:.1f} s{cut}; nothing is known of what came then"
    for kind, namespace, began, ended, reason in facts.gaps:
        where = f" in {namespace}" if namespace else ""
        until = f"{ended:.1f} s" if ended is not None else "its end"
        yield f"{kind}{where}: nothing was seen from {began:.1f} s to {until}: {reason}"
    if late := sum(pod.late for pod in facts.pods):
        yield f"{late} of {len(facts.pods)} pods were there before they could be seen; their waits are not known"
    for name in sorted(swept.overcommitted)[:3]:
        yield f"node {name} had more requested of it than it has"
    yield from facts.notes
