"""How hypothesis works here: the same few cases on every machine, no deadline, nothing kept.

With KNAVTOOL_FUZZ set, as `make fuzz` sets it, there are five times as many, those of the seed that pytest is given.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_FEWER = 5


def cases(number: int) -> settings:
    """Settings for so many cases, or for a fifth of them where the seed is always the same."""
    seeded = "KNAVTOOL_FUZZ" in os.environ
    return settings(
        max_examples=number if seeded else max(number // _FEWER, 1),
        derandomize=not seeded,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
