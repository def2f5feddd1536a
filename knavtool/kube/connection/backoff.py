"""How long to wait before trying again, and after which statuses."""

from __future__ import annotations

import random

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0
RETRIED = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses of a server that may answer otherwise soon."""


class Backoff:
    """Seconds between attempts: doubled each time up to a limit, and each up to half shorter or longer at random."""

    def __init__(self, first: float = _FIRST_DELAY, longest: float = _LONGEST_DELAY) -> None:
        self._first = self._delay = first
        self._longest = longest

    def next(self) -> float:
        """The next pause."""
        delay, self._delay = self._delay, min(self._delay * 2, self._longest)
        return delay * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Begin anew, because an attempt got somewhere."""
        self._delay = self._first
