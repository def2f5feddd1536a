"""How fast a step is going now, from what it tells of its progress."""

from __future__ import annotations

WINDOW = 5.0
"""Seconds that the rate is taken over: long enough to be calm, short enough to show that something has stopped."""

_GRAIN = 0.25
_KEPT = int(WINDOW / _GRAIN) + 2
_LEAST = 0.5  # a rate over less time would jump


class Rate:
    """Units per second over the last seconds.

    One thread feeds it while another draws, so what is read is a tuple that is replaced and never changed.
    """

    def __init__(self, started: float = 0.0) -> None:
        self._marks: tuple[tuple[float, int], ...] = ((started, 0),)

    def put(self, at: float, done: int) -> None:
        """So much was done at that moment; a burst of calls costs one mark."""
        marks = self._marks
        last, _ = marks[-1]
        if len(marks) > 1 and at - last < _GRAIN:
            marks = marks[:-1]
            at = last
        self._marks = (*marks, (at, done))[-_KEPT:]

    def at(self, now: float) -> float | None:
        """Units per second; None when too little time has passed or nothing was gained."""
        marks = self._marks
        begin = max(marks[0][0], now - WINDOW)
        before = max((mark for mark in marks if mark[0] <= begin), key=lambda mark: mark[0], default=marks[0])
        seconds, gained = now - begin, marks[-1][1] - before[1]
        return gained / seconds if seconds >= _LEAST and gained > 0 else None
