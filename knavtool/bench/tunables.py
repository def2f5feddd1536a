"""What bounds how fast the processes of each contender work, and where contenders differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from knavtool.measure import tables
from knavtool.settings.tunables import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knavtool.bench.result import Contender, Result

    _Values = Mapping[tuple[str, str], "Value"]

TITLE = tables.TITLES["tunables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a process has; `of` says what its workers work on, an empty `text` is not known.

    It `differs` if another contender has something else for this process or, lacking the process, no other one that is
    alike.
    """

    process: str
    of: str
    text: str
    source: str
    differs: bool = False

    def __str__(self) -> str:
        """As people read it: `kueue 300`, `kueue Workload 10`, `kueue info (default)`."""
        default = " (default)" if self.source == "default" else ""
        return " ".join(filter(None, (self.process, self.of, self.text or "unknown"))) + default


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tunable: the values that all contenders share, and by name of the contender those that only it has."""

    title: str
    shared: Sequence[Value]
    own: Mapping[str, Sequence[Value]]

    @property
    def differs(self) -> bool:
        """Whether contenders differ in it."""
        return any(one.differs for values in self.own.values() for one in values)


def rows(result: Result) -> list[Row]:
    """One for each tunable that a process has; contenders of which nothing is known have no values."""
    known = [one for one in result.contenders if one.tunables]
    found = (_row(title, {one.name: _values(one, name) for one in known}) for name, title in TITLES.items())
    return [one for one in found if one.shared or any(one.own.values())]


def unknown(result: Result) -> list[str]:
    """The contenders, and processes of contenders, of which nothing is known."""
    found = []
    for contender in result.contenders:
        processes = {str(one["component"]) for one in contender.components}
        told = {str(one["component"]) for one in contender.tunables}
        found += [f"{one} of {contender.name}" for one in sorted(processes - told)] if told else [contender.name]
    return found


def _values(contender: Contender, name: str) -> _Values:
    """The values of one tunable by process and what its workers work on."""
    return {
        (one["component"], one["of"]): Value(
            process=one["component"], of=one["of"], text=one["value"], source=one["source"]
        )
        for one in contender.tunables
        if one["tunable"] == name
    }


def _row(title: str, by_contender: Mapping[str, _Values]) -> Row:
    everyone = list(by_contender.values())
    keys = list(dict.fromkeys(key for values in everyone for key in values))
    shared = [
        key
        for key in keys
        if len(everyone) > 1 and len({values[key].text if key in values else None for values in everyone}) == 1
    ]
    return Row(
        title=title,
        shared=[everyone[0][key] for key in shared],
        own={
            name: [
                replace(one, differs=_differs(one, (other for other in everyone if other is not values)))
                for key, one in values.items()
                if key not in shared
            ]
            for name, values in by_contender.items()
        },
    )


def _differs(one: Value, others: Iterable[_Values]) -> bool:
    """Whether one of the others is known to have nothing like this value."""
    return bool(one.text) and any(not _alike(one, values) for values in others)


def _alike(one: Value, values: _Values) -> bool:
    if (same := values.get((one.process, one.of))) is not None:
        return same.text in (one.text, "")
    return any(other.of == one.of and other.text in (one.text, "") for other in values.values())
