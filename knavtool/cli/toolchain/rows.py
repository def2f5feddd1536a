"""How a program of the toolchain is listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.toolchain.resolve import Location, Toolchain


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRow:
    """One line of `toolchain list`; without a path, `source` is where the program would come from first."""

    name: str
    version: str
    installed: bool
    source: str
    path: str
    note: str


async def rows(toolchain: Toolchain, names: list[str]) -> list[ProgramRow]:
    """Look at each program; nothing is changed."""
    import asyncio

    return [_row(location) for location in await asyncio.gather(*(toolchain.locate(name) for name in names))]


def _row(location: Location) -> ProgramRow:
    return ProgramRow(
        name=location.name,
        version=location.version,
        installed=location.path is not None,
        source=str(location.source or "none"),
        path=str(location.path or ""),
        note=location.note,
    )
