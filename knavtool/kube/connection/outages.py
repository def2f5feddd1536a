"""How long a server's failures are put up with: each cause for so long, whoever meets it."""

from __future__ import annotations

from dataclasses import dataclass

_FORGOTTEN_AFTER = 10.0
"""Seconds; whoever waits for the end of a failure asks more often than that."""


@dataclass(slots=True)
class _Outage:
    since: float
    last: float


class Outages:
    """Remembers what has been failing and since when; times are of the event loop's clock.

    A thousand objects behind one dead webhook are one outage: the first of them wait for its end, and when they have
    waited in vain the others do not begin to wait.
    """

    def __init__(self) -> None:
        self._outages: dict[str, _Outage] = {}

    def failing_since(self, cause: str, *, began: float, now: float) -> float:
        """Take in that an attempt which began then has failed; returns since when this cause has been met."""
        outage = self._outages.get(cause)
        if outage is None or began - outage.last > _FORGOTTEN_AFTER:
            outage = self._outages[cause] = _Outage(began, now)
        outage.last = now
        return outage.since

    def went_through(self, method: str) -> None:
        """Take in that a request of this method was served: what others of it have met is over.

        Not so a webhook, which stands before some objects and not before others.
        """
        for cause in [cause for cause in self._outages if cause.startswith(f"{method} ")]:
            del self._outages[cause]
