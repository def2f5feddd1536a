"""What becomes of events that no test looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.events import Event


def ignore(_: Event) -> None:
    """Take an event and do nothing."""
