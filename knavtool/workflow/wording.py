"""How things are counted in messages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knavtool.errors import ClusterError


_LONGEST_MESSAGE = 500


def counted(things: Iterable[tuple[str, Any]]) -> str:
    """`3 Jobs, 1 Namespace` for (kind, anything) pairs."""
    counts = Counter(kind for kind, _ in things)
    return ", ".join(f"{count} {kind if count == 1 else plural(kind)}" for kind, count in counts.items())


def some(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 5 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(message: object) -> str:
    """What others wrote, on one line and not endless; None is nothing."""
    line = " ".join(str(message or "").split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"


def plural(kind: str) -> str:
    """An English plural, good enough for kinds."""
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith(("s", "x", "ch")) else f"{kind}s"


def not_done(what: str, refused: Sequence[tuple[object, ClusterError]], total: int) -> ClusterError:
    """One error for the objects that were not `what` ("changed", "deleted"); it tells the first of them."""
    item, first = refused[0]
    text = f"{len(refused)} of {total} objects were not {what}: {item}: {first.message}"
    return first.reworded(text)
