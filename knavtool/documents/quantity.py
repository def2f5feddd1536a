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
_PARTS = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")


def parse(text: str) -> Fraction:
    """The exact value; raises ValueError with what was expected."""
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a quantity; write a number with an optional suffix, like 500m, 8, 8Gi, 2T")
    number, suffix = Fraction(found[1]), found[2] or ""
    if suffix in _SUFFIXES:
        return number * _SUFFIXES[suffix]
    return number * Fraction(10) ** int(suffix[1:])


def equal(one: str, other: str) -> bool:
    """Whether two quantities are the same amount; text that is no quantity equals only itself."""
    if one == other:
        return True
    try:
        return parse(one) == parse(other)
    except ValueError:
        return False


def suggestion(text: str) -> str:
    """What `8Gb` or `8gi` was probably meant to be, or nothing."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([KMGTPE])(i?)b?\s*", text, re.IGNORECASE)
    if found is None:
        return ""
    number, letter = found[1], found[2].upper()
    binary = f"{number}{letter}i"
    return binary if found[3] else f"{number}{'k' if letter == 'K' else letter} or {binary}"
