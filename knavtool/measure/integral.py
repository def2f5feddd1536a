"""The integral of a value that changes in steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Integral:
    """The integral of a value that changes in steps, its time-weighted mean and its extremes, from `since` on."""

    since: float
    value: float = 0.0
    area: float = 0.0
    seconds: float = 0.0
    low: float | None = None
    high: float | None = None

    def hold(self, until: float) -> None:
        """The value was held until then."""
        span = until - self.since
        if span > 0:
            self.area += self.value * span
            self.seconds += span
            self.low = self.value if self.low is None else min(self.low, self.value)
            self.high = self.value if self.high is None else max(self.high, self.value)
            self.since = until

    @property
    def mean(self) -> float | None:
        """None over no time."""
        return self.area / self.seconds if self.seconds > 0 else None
