"""What is in the cache of programs, and what uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "default"
"""What uses a program that the next cluster would be made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRow:
    """A program in the cache; `used_by` is a cluster, a process, or `default`, "" if nothing uses it. `size` in MB."""

    name: str
    version: str
    size: int
    used_by: str
    path: str


def cached(environment: Mapping[str, str]) -> list[CachedRow]:
    """All programs in the cache of this user."""
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.engines.local.programs import programs_in_use
    from knavtool.harness.programs import cache_directory
    from knavtool.toolchain.pins import load_pins
    from knavtool.toolchain.store import Store

    store = Store(cache_directory(environment))
    pinned = [*load_pins().programs.values(), *Catalogue.load(environment).programs().values()]
    used = {store.program(program).resolve(): DEFAULT for program in pinned} | programs_in_use(environment)
    return [
        CachedRow(
            name=one.name,
            version=one.version,
            size=round(one.size / 1e6),
            used_by=used.get(one.path.resolve(), ""),
            path=str(one.path),
        )
        for one in store.installed()
    ]
