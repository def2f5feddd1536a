"""The comparison of two runs as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.measure.cautions import ONE_AGAINST_ONE, cautions, setups
from knavtool.measure.names import good

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knavtool.measure.comparing import Change, Comparison, Run
    from knavtool.report.compared.cells import Judged


def document(comparison: Comparison, changes: Iterable[Change], judged: Sequence[Judged] = ()) -> dict[str, Any]:
    """`a` and `b`, what must be known, `measures` by name, distances, what else differs, and thresholds."""
    return {
        "a": _run(comparison.before),
        "b": _run(comparison.after),
        "warnings": cautions(comparison),
        "note": ONE_AGAINST_ONE,
        "measures": {change.name: _change(change) for change in changes},
        "distances": {one.name: _without_name(asdict(one)) for one in comparison.distances},
        "setups": [{"name": name, "a": one, "b": other} for name, one, other in setups(comparison)],
        "thresholds": [
            {"threshold": str(threshold), "passed": verdict.passed, "message": verdict.message}
            for threshold, verdict in judged
        ],
    }


def text(comparison: Comparison, changes: Iterable[Change], judged: Sequence[Judged] = ()) -> str:
    """The document as text."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2
    return orjson.dumps(document(comparison, changes, judged), default=str, option=options).decode()


def _run(run: Run) -> dict[str, Any]:
    return {"path": run.label, "about": asdict(run.about) if run.about is not None else None}


def _change(change: Change) -> dict[str, Any]:
    return {
        "unit": change.after.unit,
        "good": good(change.name) or None,
        "before": change.before.value,
        "after": change.after.value,
        "difference": change.difference,
        "relative": change.relative,
        "n": {"before": change.before.n, "after": change.after.n},
        "result": change.word.value,
    } | ({"why": change.why} if change.why else {})


def _without_name(distance: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in distance.items() if key != "name"}
