"""Data inside the page: compressed, and such that nothing in it can be taken for markup."""

from __future__ import annotations

import base64
import math
import operator
import zlib
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.measure.table import Table

MOST_BYTES = 1_100_000
"""Of all tables together, compressed."""


_MOST_ROWS = 100_000  # of a table; to compress more takes long, and they would not fit
_LARGE = 1e9
_FIRST = ("components", "gaps", "steps", "queues", "preemptions", "gangs", "pods")


def packed(value: Any) -> str:
    """JSON, deflated, in base64: its letters mean nothing in HTML."""
    return packed_bytes(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))


def packed_bytes(content: bytes) -> str:
    """Bytes, deflated, in base64."""
    return base64.b64encode(zlib.compress(content, 6)).decode()


def packed_tables(tables: Iterable[Table], most: int = MOST_BYTES) -> dict[str, tuple[str, int]]:
    """Each table as the page unpacks it, and how many of its rows are in it.

    If all of them are too large together, some lose their last rows: those that follow from others before the pods
    and gangs, and the largest ones first.
    """
    whole = {table.name: (table, _packed_table(table, min(len(table.rows), _MOST_ROWS))) for table in tables}
    found: dict[str, tuple[str, int]] = {}
    left = most
    order = sorted(whole.items(), key=lambda one: (one[0] not in _FIRST, len(one[1][1])))
    for number, (name, (table, text)) in enumerate(order):
        # Each may take its part of what is left, those in front half of it.
        room = left // 2 if name in _FIRST else left // (len(whole) - number)
        rows = min(len(table.rows), _MOST_ROWS)
        while len(text) > room and rows:
            rows = int(min(rows * room / len(text) * 0.95, rows - 1))
            text = _packed_table(table, rows)  # noqa: PLW2901 - this is the one that goes in
        found[name] = (text, rows)
        left -= len(text)
    return {name: found[name] for name in whole}


def _packed_table(table: Table, rows: int) -> str:
    columns: list[tuple[Any, ...]] = [*zip(*table.rows[:rows], strict=True)] or [()] * len(table.columns)
    return packed({column.name: _packed_column(values) for column, values in zip(table.columns, columns, strict=True)})


def _packed_column(values: tuple[Any, ...]) -> dict[str, Any]:
    """Numbers as whole millionths, each less the one before, which makes series that change little small.

    Beyond a billion, where millionths of it are more than a page can count, they are whole numbers.
    """
    kinds = set(map(type, values)) - {type(None)}
    known = [value for value in values if value is not None]
    if not kinds <= {int, float} or not kinds or not all(map(math.isfinite, known)):
        return {"values": values}
    scale = 1 if kinds == {int} or max(map(abs, known)) > _LARGE else 1_000_000
    whole = known if kinds == {int} else [round(value * scale) for value in known]
    steps: Iterable[int] = map(operator.sub, whole, [0, *whole])
    if len(known) == len(values):
        return {"scale": scale, "steps": list(steps)}
    following = iter(steps)
    return {"scale": scale, "steps": [None if value is None else next(following) for value in values]}
