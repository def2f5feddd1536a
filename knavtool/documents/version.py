"""Versions as `v1.2.3-rc.0`, ordered as Semantic Versioning does, and ranges of them as `>=v1.2.0 <v1.4.0`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from semver import Version

if TYPE_CHECKING:
    from collections.abc import Collection

PATTERN = r"v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.-]+)?"
_BOUND = re.compile(rf"(>=|<=|>|<|=|)({PATTERN})")


def parse(text: str) -> Version:
    """A version, with or without a v before it; raises ValueError for anything else."""
    return Version.parse(text.removeprefix("v"))


def within(version: str, bounds: str) -> bool:
    """Whether a version meets all bounds of a range, which spaces divide; one without a sign is that version alone.

    A pre-release comes before its release: `>=v1.4.0-0` has those of v1.4.0 too. Raises ValueError for no range.
    """
    return all(_meets(parse(version), bound) for bound in bounds.split())


def exact(bounds: str) -> str | None:
    """The version that a range stands for if it is a single one."""
    return bounds if re.fullmatch(PATTERN, bounds) else None


def nearest(version: str, known: Collection[str]) -> str:
    """The known version that differs from this one in the least weighty part, and there by the least; "" if none."""
    wanted = parse(version)

    def distance(other: Version) -> tuple[int, int, int]:
        return abs(other.major - wanted.major), abs(other.minor - wanted.minor), abs(other.patch - wanted.patch)

    return min(known, key=lambda one: distance(parse(one)), default="")


def _meets(version: Version, bound: str) -> bool:
    if (match := _BOUND.fullmatch(bound)) is None:
        raise ValueError(f"{bound!r} is not a bound such as >=v1.2.3")
    order = version.compare(parse(match[2]))
    return {
        "": order == 0,
        "=": order == 0,
        ">=": order >= 0,
        "<=": order <= 0,
        ">": order > 0,
        "<": order < 0,
    }[match[1]]
