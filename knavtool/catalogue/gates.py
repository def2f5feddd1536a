"""Lists of `NAME=true|false`: feature gates, and the APIs that a server serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.catalogue.records import Component


def feature_gates(given: str, components: Iterable[Component]) -> str:
    """The feature gates that the user gave, and those that components need."""
    faces = {one.name: one.control_plane.feature_gates for one in components if one.control_plane}
    return _joined("--feature-gates", given, faces)


def runtime_config(given: str, components: Iterable[Component]) -> str:
    """The served APIs that the user gave, and those that components need."""
    faces = {one.name: one.control_plane.runtime_config for one in components if one.control_plane}
    return _joined("--runtime-config", given, faces)


def parsed(text: str) -> dict[str, str]:
    """The values by name; "" for a name without one."""
    return dict(word.partition("=")[::2] for word in text.split(",") if word)


def _joined(option: str, given: str, needed: Mapping[str, Mapping[str, bool]]) -> str:
    """Both together; raises UsageError if they contradict each other."""
    values = parsed(given)
    for component, wanted in needed.items():
        for name, value in wanted.items():
            text = str(value).lower()
            if values.setdefault(name, text) != text:
                message = f"{option} {name}={values[name]} contradicts {component}, which needs {name}={text}"
                raise UsageError(message, hint=f"leave out {name}, or {component}")
    return ",".join(f"{name}={value}" if value else name for name, value in values.items())
