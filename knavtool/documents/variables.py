"""Variables of workflow files: `${name}` anywhere below a task, `$${name}` for the text itself.

A file without variables is left as it is, whatever its texts look like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.documents.complaints import nearest
from knavtool.documents.scalars import text
from knavtool.documents.yaml import load_text
from knavtool.errors import InvalidDocument, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


def parse_settings(given: Iterable[str]) -> dict[str, Any]:
    """`name=value` arguments; values are read as YAML, so that `4` is a number and `[1, 2]` a list.

    Raises UsageError.
    """
    settings: dict[str, Any] = {}
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(f"--set {argument}: expected NAME=VALUE", hint="for example --set replicas=4")
        if value.lstrip().startswith("#"):
            raise UsageError(
                f"--set {argument}: for YAML the value is a comment",
                hint=f"put it into quotes: --set '{name}=\"{value}\"'",
            )
        try:
            settings[name] = load_text(value, "--set").data if value.strip() else ""
        except InvalidDocument as error:
            raise UsageError(f"--set {argument}: {error.violations[0].message}") from None
    return settings


@dataclass(slots=True)
class Substitution:
    """Puts values in; `wrong` are faults by place, `whole` tells whether every reference had a value."""

    known: Mapping[str, Any]
    wrong: list[Complaint] = field(default_factory=list)
    whole: bool = True

    def put(self, data: Any, at: Location = ()) -> Any:
        """The data with values in place of references; text that is one reference becomes the value itself."""
        if not self.known:
            return data
        if isinstance(data, dict):
            return {key: self.put(value, (*at, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.put(value, (*at, index)) for index, value in enumerate(data)]
        if not isinstance(data, str) or "${" not in data:
            return data
        alone = _REFERENCE.fullmatch(data)
        if alone and not alone[1]:
            return self._value(alone[2], at)
        return _REFERENCE.sub(lambda found: self._text(found, at), data)

    def _value(self, name: str, at: Location) -> Any:
        if name not in self.known:
            self.whole = False
            self.wrong.append((at, f"unknown variable {name!r}{_known(name, list(self.known))}"))
            return ""
        value = self.known[name]
        self.whole = self.whole and value is not None
        return value

    def _text(self, found: re.Match[str], at: Location) -> str:
        if found[1]:
            return found[0][1:]
        value = self._value(found[2], at)
        if isinstance(value, (dict, list)):
            self.whole = False
            self.wrong.append((at, f"the variable {found[2]!r} is no text; ${{{found[2]}}} must stand alone"))
            return ""
        return text(value)


def _known(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known) or f"; there are: {', '.join(known)}"
    return f"{near}; write $${{{name}}} for the text itself"
