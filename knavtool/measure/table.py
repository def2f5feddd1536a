"""What measuring gives: tables, measures, and what is known of the recording behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """`unit` is `s`, `pods`, `gpus`, `gpu-seconds`, `cores`, `bytes`, `ratio`, `count`, or empty for text."""

    name: str
    unit: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in the order of `columns`; None stands for what is not known or did not happen."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Each row by the names of its columns."""
        names = [column.name for column in self.columns]
        return (dict(zip(names, row, strict=True)) for row in self.rows)

    def column(self, name: str) -> list[Any]:
        """All values of one column."""
        index = next(number for number, column in enumerate(self.columns) if column.name == name)
        return [row[index] for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number over `n` samples; `value` is None if it is not known, and `why` says why."""

    name: str
    value: float | None
    unit: str
    n: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The recording: `began` is ISO 8601 by the client's wall clock, `seconds` its length.

    `clock` is `audit` or `watch`: where the moments come from. `lag_*` are seconds from the API server's write to the
    watch event, None where only the watch is known. `whole` is False for a recording that was cut off. `saturated` has
    the reasons why the tool or the machine, not the scheduler, was the limit, `tool_limits` those of the tool. `passed`
    is None if the run did not end. `environment` has texts such as knavtool, server, context, cores;
    `components` has name, version, settings and what the user changed, `tunables` what bounds how fast each works.
    """

    name: str
    began: str
    seconds: float
    clock: str
    whole: bool
    passed: bool | None = None
    lag_p50: float | None = None
    lag_p95: float | None = None
    lag_max: float | None = None
    lag_n: int = 0
    saturated: Sequence[str] = ()
    tool_limits: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What the reader must know: gaps, late starts, what was not recorded."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that was measured; every table of `measure.tables` and every measure of `measure.names` is there."""

    about: About
    measures: Mapping[str, Measure]
    tables: Mapping[str, Table]
