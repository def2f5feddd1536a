"""What a template is not: the names of its objects, and which pods are theirs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """What RegisterObj says about names and pods; None where it says nothing."""

    name: str | None = None
    pod_name: str | None = None
    pod_count: str | None = None
