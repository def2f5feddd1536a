"""YAML scalars as the text Kubernetes wants."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    """A scalar as text: `true`, `8`, `1.5`; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
