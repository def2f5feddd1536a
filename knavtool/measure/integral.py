"""The integral of a value that changes in steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Integral:
    """The integral of a value over a window, its time-weighted mean and its extremes; None is counted at no time."""

    since: float
    until: float
    value: float | None = 0.0
    area: float = 0.0
    seconds: float = 0.0
    low: float | None = None
    high: float | None = None

    def change(self, at: float, value: float | None) -> None:
        """The value was held until this moment, and is another now."""
        if value != self.value:
            self.hold(at)
            self.value = value

    def hold(self, at: float) -> None:
        """The value was held until this moment; what lies outside of the window does not count."""
        stop = min(self.until, at)
        span = stop - self.since
        if span <= 0:
            return
        self.since = stop
        value = self.value
        if value is None:
            return
        self.area += value * span
        self.seconds += span
        if self.low is None or value < self.low:
            self.low = value
        if self.high is None or value > self.high:
            self.high = value

    @property
    def mean(self) -> float | None:
        """None over no time."""
        return self.area / self.seconds if self.seconds > 0 else None
