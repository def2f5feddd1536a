"""What comes out when something that a record says is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from knavtool.toolchain.fetch import ChecksumMismatch, Unanswered, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from knavtool.errors import KnavError

_SHOWN = 5


class Verdict(StrEnum):
    """Whether it is so."""

    OK = "ok"
    WRONG = "wrong"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One thing that a record says. `reason` is why it is not so, or what was looked at."""

    component: str
    what: str
    result: Verdict
    reason: str = ""


def judged(component: str, what: str, wrong: Collection[str], looked_at: str = "") -> Verified:
    """OK if nothing is wrong."""
    if not wrong:
        return Verified(component=component, what=what, result=Verdict.OK, reason=looked_at)
    shown = "; ".join(list(wrong)[:_SHOWN]) + (f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else "")
    return Verified(component=component, what=what, result=Verdict.WRONG, reason=shown)


def failed(component: str, what: str, error: KnavError | Unavailable) -> Verified:
    """Wrong if the publisher has something else or nothing; where nobody answered, nothing can be told."""
    cause = error.__cause__ if isinstance(error.__cause__, Unavailable) else error
    known = isinstance(cause, ChecksumMismatch) or (
        isinstance(cause, Unavailable) and not isinstance(cause, Unanswered)
    )
    result = Verdict.WRONG if known else Verdict.CANNOT_TELL
    reason = str(cause) if isinstance(cause, Unavailable) else str(error)
    return Verified(component=component, what=what, result=result, reason="; ".join(reason.split("\n")))
