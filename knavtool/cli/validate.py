"""`knavtool validate`."""

from __future__ import annotations


def validate() -> None:
    """To be written."""
