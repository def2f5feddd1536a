"""Many names in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def format_name_ranges(names: Iterable[str]) -> Iterator[str]:
    """`a-0 … a-9 (10 nodes)` for names that share a prefix."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition("-")[0], []).append(name)
    for group in groups.values():
        yield group[0] if len(group) == 1 else f"{group[0]} … {group[-1]} ({len(group)} nodes)"
