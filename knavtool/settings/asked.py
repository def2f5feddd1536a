"""Settings as options of the command line say them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.yaml import load, load_rendered
from knavtool.errors import InvalidDocument, UsageError
from knavtool.settings import paths
from knavtool.settings.flags import read_flag

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_TARGET = re.compile(rf"{_NAME}(?:/{_NAME})?")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*)|-)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A file for the configuration of a target; `data` is what is merged, None if the `text` is taken whole."""

    target: str
    source: str
    text: str
    data: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A value at a path, which may be the name of a shortcut; `path` is written as `paths.written` does."""

    target: str
    path: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An argument by the name of its flag, whole, or an environment variable; None removes it."""

    target: str
    name: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All settings of one call. A target is COMPONENT, COMPONENT/PROCESS or PROCESS; `reset` drops what was set."""

    files: tuple[ConfigFile, ...] = ()
    fields: tuple[Field, ...] = ()
    args: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    reset: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.files or self.fields or self.args or self.environment or self.reset)


def read_options(
    *,
    config: Iterable[str] = (),
    replace: bool = False,
    fields: Iterable[str] = (),
    args: Iterable[str] = (),
    environment: Iterable[str] = (),
    reset: Iterable[str] = (),
) -> Asked:
    """What the options say, whatever components there are; UsageError or InvalidDocument for what cannot be read."""
    files = tuple(_file(text, whole=replace) for text in config)
    if replace and not files:
        raise UsageError("--replace is for files that --config names", hint="leave it out")
    asked = Asked(
        files=files,
        fields=tuple(map(_field, fields)),
        args=tuple(map(_argument, args)),
        environment=tuple(map(_variable, environment)),
        reset=tuple(name for text in reset for name in filter(None, map(str.strip, text.split(",")))),
    )
    _once("--config", "", ((one.target, "", one.source) for one in asked.files))
    _once("--set", ".", ((one.target, one.path, one.value) for one in asked.fields))
    _once("--args", " --", ((one.target, one.name, one.value) for one in asked.args))
    _once("--env", " ", ((one.target, one.name, one.value) for one in asked.environment))
    return asked


def _once(option: str, between: str, given: Iterable[tuple[str, str, Any]]) -> None:
    """UsageError if something is given twice and differs."""
    seen: dict[tuple[str, str], Any] = {}
    for target, name, value in given:
        before = seen.setdefault((target, name), value)
        if before != value:
            what = f"{target}{between if name else ''}{name}"
            raise UsageError(f"{option} {what} is given twice, with {before!r} and {value!r}", hint="leave one out")


def _split(option: str, text: str, form: str) -> tuple[str, str]:
    target, given, rest = text.partition("=")
    if not (given and rest and _TARGET.fullmatch(target)):
        raise UsageError(f"{option} {text}: expected {form}")
    return target, rest


def _file(text: str, *, whole: bool) -> ConfigFile:
    target, given = _split("--config", text, "NAME=FILE, a component and its configuration")
    return read_file(target, given, whole=whole)


def read_file(target: str, given: str, *, whole: bool) -> ConfigFile:
    """A file as the configuration of a target; UsageError or InvalidDocument if it cannot be read."""
    file = Path(given).expanduser()
    document = None
    try:
        document = load(file)
    except InvalidDocument:
        # What is no YAML may be a configuration all the same; what cannot be read is none.
        if not whole or not file.is_file():
            raise
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 text (byte {error.start})") from None
    if whole or document is None:
        return ConfigFile(target=target, source=given, text=content, data=None)
    if not isinstance(document.data, dict):
        raise InvalidDocument([document.violation((), "expected a map")])
    # Kubernetes reads scalars by older rules, such as `on` for true.
    documents = load_rendered(content)
    if len(documents) != 1:
        raise InvalidDocument([document.violation((), f"there are {len(documents)} documents, expected one")])
    return ConfigFile(target=target, source=given, text=content, data=documents[0])


def _field(text: str) -> Field:
    form = "NAME.PATH=VALUE, such as kube-scheduler.percentageOfNodesToScore=50"
    target, dot, rest = text.partition(".")
    if not dot or not _TARGET.fullmatch(target):
        raise UsageError(f"--set {text}: expected {form}")
    try:
        path, value = paths.parse(rest)
    except UsageError as error:
        raise UsageError(f"--set {text}: {error.message}", hint=error.hint) from None
    if not value:
        raise UsageError(f"--set {text}: expected {form}")
    return Field(target=target, path=paths.written(path), value=_value(text, value[1:]))


def _value(text: str, value: str) -> Any:
    try:
        documents = load_rendered(value)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or error
        raise UsageError(f"--set {text}: the value is not YAML: {problem}", hint="put text into quotes") from None
    # `null` removes, nothing at all is an empty text.
    return documents[0] if documents else None if value.strip() else ""


def _argument(text: str) -> Change:
    target, given = _split("--args", text, "NAME=--FLAG=VALUE")
    try:
        name, whole = read_flag(given)
    except UsageError as error:
        raise UsageError(f"--args {text}: {error.message}", hint=error.hint) from None
    return Change(target=target, name=name, value=whole)


def _variable(text: str) -> Change:
    target, given = _split("--env", text, "NAME=VARIABLE=VALUE, or NAME=VARIABLE- to remove one")
    found = _VARIABLE.fullmatch(given)
    if found is None:
        raise UsageError(f"--env {text}: expected NAME=VARIABLE=VALUE, or NAME=VARIABLE- to remove one")
    return Change(target=target, name=found[1], value=found[2])
