"""What Helm says of an object template, with the user's file, line and column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from knavtool.errors import RenderError
from knavtool.render import goactions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from knavtool.render.source import ObjectTemplate

CHART = "object-template"
"""The name of the temporary chart, which is in the paths that Helm tells."""
_PLACE = re.compile(rf"{CHART}/templates/(?P<file>[\w-]+)\.(?:tpl|yaml):(?P<line>\d+)(?::(?P<column>\d+))?\)?: ")
_UNKNOWN = re.compile(r'function "([^"]+)" not defined')
_FOREIGN = re.compile(rf"{_UNKNOWN.pattern}|undefined variable|unexpected .* in (?:command|operand)|after term")
_HINT = (
    "write {{`...`}} around text that is not yours to render, "
    "or set raw: true on the RegisterObj to take the file as it is"
)
_MOST = 10
"""Unknown functions that are told; each costs a call of Helm."""


async def located(error: RenderError, template: ObjectTemplate, call: Callable[[str], Awaitable[str]]) -> RenderError:
    """Helm's error in the words of the user's file, and with all functions that are not known.

    Helm stops at the first one. `call` renders another text in the place of the file's.
    """
    message = localised(error.message, template)
    lines = [message]
    text, last = template.text, error.message
    while (unknown := _UNKNOWN.search(last)) and _in_file(last) and len(lines) < _MOST:
        # This function takes whatever it is given, so Helm reads on.
        before, text = text, goactions.with_word(text, unknown[1], "list")
        if text == before:
            break
        try:
            await call(text)
            break
        except RenderError as next_one:
            last = next_one.message
            if _UNKNOWN.search(last):
                lines.append(localised(last, template))
    hint = _HINT if _in_file(error.message) and _FOREIGN.search(error.message) else error.hint
    return RenderError("\n".join(lines), hint=hint)


def localised(message: str, template: ObjectTemplate) -> str:
    """Helm's message with the user's file, line and column in place of the temporary chart's."""
    places = list(_PLACE.finditer(message))
    if not places:
        return f"{template.file}: {message}"
    last = places[-1]
    text = re.sub(r'^executing "[^"]*" at ', "at ", message[last.end() :])
    if last["file"] == "_object":
        # Go counts columns from 0.
        column = f":{int(last['column']) + 1}" if last["column"] else ""
        return f"{template.file}:{last['line']}{column}: {text}"
    if last["file"] == "driver":
        return f"{template.file}: {text}"
    field = {"_name": "nameFormat", "_podName": "podNameFormat", "_podCount": "podCount"}[last["file"]]
    return f"{template.file}: {field}: {text}"


def _in_file(message: str) -> bool:
    places = list(_PLACE.finditer(message))
    return bool(places) and places[-1]["file"] == "_object"
