"""How hypothesis works here: the same cases on every machine, no deadline, nothing kept."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def cases(number: int) -> settings:
    """Settings for so many cases."""
    return settings(
        max_examples=number, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
