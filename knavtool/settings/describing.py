"""Settings for people: as the options that make them, and short."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.settings.settings import Settings

_LONGEST = 60


def options(name: str, settings: Settings) -> str:
    """The options of `cluster up` that make these settings of a component; long values are cut."""
    told = []
    if settings.text is not None or settings.config:
        told.append(f"--config {name}={settings.source}{' --replace' if settings.text is not None else ''}")
    told += [f"--set {name}.{path}={_value(value)}" for path, value in settings.fields.items()]
    for process, args in settings.args.items():
        told += [f"--args {process}={text or f'--{flag}-'}" for flag, text in args.items()]
    for process, variables in settings.environment.items():
        told += [f"--env {process}={key}{'-' if value is None else f'={value}'}" for key, value in variables.items()]
    return " ".join(told)


def short(settings: Settings, *, whole: bool = False) -> str:
    """What differs from the record, in a line: fields, arguments and variables, with `whole` values or cut ones."""
    return ", ".join(_short(settings, whole=whole))


def cut(text: str) -> str:
    """The beginning of a text that is too long for a line."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def _short(settings: Settings, *, whole: bool) -> Iterator[str]:
    if settings.text is not None:
        yield f"a configuration of its own (sha256 {hashlib.sha256(settings.text.encode()).hexdigest()[:8]})"
    for path, value in (*_leaves(settings.config), *settings.fields.items()):
        yield f"{path}={_value(value, whole=whole)}"
    for args in settings.args.values():
        yield from (text or f"no --{flag}" for flag, text in args.items())
    for variables in settings.environment.values():
        yield from (f"no {key}" if value is None else f"{key}={value}" for key, value in variables.items())


def _leaves(tree: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, dict) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _value(value: Any, *, whole: bool = False) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return text if whole else cut(text)
