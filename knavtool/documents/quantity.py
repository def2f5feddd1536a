"""Kubernetes quantities: `500m`, `2Ti`, `1e3`, `0.5Gi`."""

from __future__ import annotations

import re
from fractions import Fraction

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000 ** (power + 1)) for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{suffix: Fraction(1024 ** (power + 1)) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
}
PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
"""What Kubernetes accepts, as a regular expression."""

_PARTS = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")


def parse(text: str) -> Fraction:
    """The exact value; raises ValueError with what was expected."""
    found = _PARTS.fullmatch(str(text))
    if found is None:
        raise ValueError(f"{text!r} is not a quantity; write a number with an optional suffix, like 500m, 8, 8Gi, 2T")
    number, suffix = Fraction(found[1]), found[2] or ""
    if suffix in _SUFFIXES:
        return number * _SUFFIXES[suffix]
    return number * Fraction(10) ** int(suffix[1:])


def is_quantity(text: str) -> bool:
    """Whether the API server would accept it."""
    return _PARTS.fullmatch(str(text)) is not None


def equal(one: str, other: str) -> bool:
    """Whether two quantities are the same amount; text that is no quantity equals only itself."""
    if one == other:
        return True
    try:
        return parse(one) == parse(other)
    except ValueError:
        return False
