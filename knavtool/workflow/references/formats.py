"""What can be said about the formats of a RegisterObj before anything is rendered, and the checks of what they give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from knavtool.documents.values import text
from knavtool.errors import RenderError
from knavtool.render.arithmetic import evaluate
from knavtool.workflow.references.regexps import BadPattern, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRINTED = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_INTERNAL = re.compile(r"\{\{[^}]*\.(_NAME_|_ENUM_)\b[^}]*\}\}")


def simply_rendered(template: str, params: Mapping[str, Any]) -> str | None:
    """The text of a template that only prints scalars; None if only the template engine can tell."""
    used = _PRINTED.findall(template)
    if any(not isinstance(params.get(name), (str, int, float, bool)) for name in used):
        return None
    rendered = _PRINTED.sub(lambda found: text(params[found[1]]), template)
    return None if "{{" in rendered else rendered


def uses_internal(template: str) -> str:
    """`_NAME_` or `_ENUM_` if the template prints one of them, otherwise nothing."""
    found = _INTERNAL.search(template)
    return found[1] if found else ""


def pattern_fault(pattern: str) -> str:
    """Why a pod name pattern cannot be used; empty if it can."""
    try:
        compile_pattern(pattern)
    except BadPattern as error:
        return f"{pattern!r} is no regular expression: {error}"
    return ""


def count_fault(expression: str, what: str = "podCount ") -> str:
    """Why a count cannot be used; empty if it can. `what` is put before the expression."""
    try:
        count = evaluate(expression)
    except RenderError as error:
        return what + (f"{error.message}; {error.hint}" if error.hint else error.message)
    return f"{what}{expression!r} is {count}, expected 0 or more" if count < 0 else ""
