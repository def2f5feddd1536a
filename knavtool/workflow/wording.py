"""How things are counted in messages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def counted(things: Iterable[tuple[str, Any]]) -> str:
    """`3 Jobs, 1 Namespace` for (kind, anything) pairs."""
    counts = Counter(kind for kind, _ in things)
    return ", ".join(f"{count} {kind if count == 1 else plural(kind)}" for kind, count in counts.items())


def plural(kind: str) -> str:
    """An English plural, good enough for kinds."""
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith(("s", "x", "ch")) else f"{kind}s"
