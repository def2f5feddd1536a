"""What one queue uses and waits for, during a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.measure.resources import NOTHING, Amounts

if TYPE_CHECKING:
    from knavtool.measure.facts import Thing
    from knavtool.measure.integral import Integral


@dataclass(slots=True, eq=False)
class Queue:
    """What one queue uses; `holder` has its quota."""

    name: str
    holder: Thing | None
    quota: Amounts
    use: dict[str, Integral]
    dominant: Integral
    used: Amounts = NOTHING
    pending: int = 0

    def integrals(self) -> list[Integral]:
        """All of them."""
        return [*self.use.values(), self.dominant]

    def share(self, capacity: Amounts) -> float:
        """Use over quota of GPUs, or of what else there is a quota of; over the cluster's capacity without a quota."""
        limits = capacity if self.quota == NOTHING else self.quota
        if limits[0]:
            return self.used[0] / limits[0]
        return self.used[1] / limits[1] if limits[1] else self.used[2] / limits[2] if limits[2] else 0.0

    def dominant_share(self, capacity: Amounts) -> float:
        """The largest share of any resource of the cluster."""
        return max([use / has for use, has in zip(self.used, capacity, strict=True) if has], default=0.0)
