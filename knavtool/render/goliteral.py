"""Data as Go template source."""

from __future__ import annotations

import json
import math
from typing import Any

_LARGEST = 2**63
_EXACT = 1e15


def literal(value: Any) -> str:
    """Data as Go template source, so that an int stays an int and text stays text."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int():
            return f"({value})" if -_LARGEST <= value < _LARGEST else _float(float(value))
        case float():
            # A whole number written with a point is a whole number for Knavigator's templates too.
            return literal(int(value)) if value.is_integer() and abs(value) < _EXACT else _float(value)
        case list() | tuple():
            return f"(list {' '.join(literal(item) for item in value)})"
        case dict():
            return f"(dict {' '.join(f'{_text(str(key))} {literal(item)}' for key, item in value.items())})"
        case _:
            return _text(str(value))


def _float(value: float) -> str:
    # Go has no literal for these; as text they print the same.
    if math.isnan(value):
        return _text("NaN")
    return f"({value!r})" if math.isfinite(value) else _text("+Inf" if value > 0 else "-Inf")


def _text(value: str) -> str:
    # A JSON string is a Go string as well. Half a surrogate pair has no place in UTF-8, so it is replaced.
    return json.dumps(value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), ensure_ascii=False)
