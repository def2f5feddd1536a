"""The configuration that a component gets: its own, with its settings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.complaints import nearest
from knavtool.documents.yaml import dump, load_rendered
from knavtool.errors import UsageError
from knavtool.settings import paths
from knavtool.settings.merging import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.settings.paths import Path
    from knavtool.settings.settings import Settings
    from knavtool.settings.subject import Subject

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_PORT = "port_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """A configuration before `${...}` is filled in: a `tree`, or a `text` that was given whole.

    `kept` are values of a merged file that knavtool needs to be others, and that were left as the record has them.
    """

    tree: Any = None
    text: str | None = None
    kept: tuple[str, ...] = ()

    def at(self, path: str) -> Any:
        """What is at a path, None if there is nothing."""
        tree = self.tree if self.text is None else yaml.load(self.text, Loader=yaml.CSafeLoader)
        return paths.find(tree, paths.path_of(path))

    def filled(self, values: Mapping[str, str]) -> str:
        """The text of the file; `${...}` of which nobody knows the value stays."""
        if self.text is not None:
            return fill(self.text, values)
        return dump([_filled(self.tree, values)])


def effective(subject: Subject, settings: Settings, *, bare: bool = False) -> Effective:
    """The configuration of a subject with its settings; UsageError if they do not fit it.

    `bare` is without what was set by path, as it was before `--set`.
    """
    own = own_configuration(subject)
    fields = {} if bare else settings.fields
    if settings.text is None:
        tree, kept = _merged(subject, own, settings.config)
    else:
        tree, kept = _whole(subject, own, settings), ()
        if not fields:
            return Effective(text=settings.text)
    if fields and not isinstance(tree, dict):
        raise UsageError(f"the configuration of {subject.name} is no map, so --set cannot change it")
    for name, value in fields.items():
        path, meant = resolved(subject, name, value)
        try:
            tree = paths.put(tree, path, meant)
        except UsageError as error:
            raise UsageError(f"--set {subject.name}.{name}: {error.message}", hint=error.hint) from None
        for fixed in _changed(subject, own, tree):
            message = f"--set {subject.name}.{name}: {paths.written(fixed)} is {_told(paths.find(own, fixed))}"
            raise UsageError(f"{message}, and knavtool needs it so", hint="leave it out")
    return Effective(tree=tree, kept=kept)


def differing(subject: Subject, settings: Settings) -> Settings:
    """The settings without what a merged file says as the record does, or what knavtool keeps as it is."""
    if not settings.config:
        return settings
    own, tree = own_configuration(subject), effective(subject, settings, bare=True).tree
    return replace(settings, config=_difference(own, tree))


def _difference(own: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """What has to be merged over `own` to get `tree`, but for items of lists, which stand there whole."""
    found: dict[str, Any] = dict.fromkeys(own.keys() - tree.keys())
    for key, value in tree.items():
        before = own.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if deeper := _difference(before, value):
                found[key] = deeper
        elif key not in own or before != value:
            found[key] = value
    return found


def resolved(subject: Subject, name: str, value: Any) -> tuple[Path, Any]:
    """The path and the value that a field stands for: those of a shortcut if it is one, otherwise its own."""
    if (shortcut := subject.shortcuts.get(name)) is None:
        return paths.path_of(name), value
    if not isinstance(value, str) or value not in shortcut.values:
        message = f"--set {subject.name}.{name}={_told(value)}: expected {' or '.join(shortcut.values)}"
        hint = f"a value of your own goes to {shortcut.path}" if shortcut.path != name else ""
        raise UsageError(f"{message}{nearest(str(value), shortcut.values)}", hint=hint)
    return paths.path_of(shortcut.path), shortcut.values[value]


def own_configuration(subject: Subject) -> Any:
    """The configuration of a record with `${...}` in it and what it chooses itself; None if it is not YAML."""
    try:
        documents = load_rendered(subject.template or "")
    except yaml.YAMLError:
        return None
    tree = documents[0] if len(documents) == 1 else None
    for shortcut in subject.shortcuts.values():
        if shortcut.default:
            tree = paths.put(tree, paths.path_of(shortcut.path), shortcut.values[shortcut.default])
    return tree


def require_variables(text: str, known: Mapping[str, str] | frozenset[str], where: str) -> None:
    """UsageError for `${port_...}` of a port that a process does not have; of other names others may know."""
    for name in _VARIABLE.findall(text):
        if name.startswith(_PORT) and name not in known:
            ports = [one for one in known if one.startswith(_PORT)]
            raise UsageError(f"{where}: there is no {name}{nearest(name, ports)}", hint=f"known are {', '.join(ports)}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with `${name}` replaced where its value is known."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def _merged(subject: Subject, own: Any, config: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    if not config:
        return own, ()
    if not isinstance(own, dict):
        raise UsageError(
            f"--config {subject.name}: its own configuration is no map, so nothing can be merged over it",
            hint="give the whole file with --replace",
        )
    tree = merged(own, config)
    kept = []
    for path in _changed(subject, own, tree):
        try:
            tree = paths.put(tree, path, paths.find(own, path))
        except UsageError as error:
            raise UsageError(f"--config {subject.name}: {error.message}") from None
        kept.append(paths.written(path))
    return tree, tuple(kept)


def _whole(subject: Subject, own: Any, settings: Settings) -> Any:
    """The tree of a whole file, None if it is none; what knavtool needs must be in it."""
    where = f"--config {subject.name}={settings.source or '...'} --replace"
    try:
        documents = load_rendered(settings.text or "")
    except yaml.YAMLError as error:
        if own is None:
            return None
        raise UsageError(f"{where}: not YAML: {error}") from None
    tree = documents[0] if documents else None
    if isinstance(own, dict) and not isinstance(tree, dict):
        raise UsageError(f"{where}: expected a map")
    lacking = [f"{paths.written(path)}: {_told(paths.find(own, path))}" for path in _changed(subject, own, tree)]
    if lacking:
        lines = "\n".join(f"  {one}" for one in lacking)
        hint = "write them into the file as they stand here, or leave out --replace and it is merged"
        raise UsageError(f"{where}: knavtool needs these to be\n{lines}", hint=hint)
    return tree


def _changed(subject: Subject, own: Any, tree: Any) -> list[Path]:
    """The paths that cannot be changed at which two configurations differ."""
    given = subject.config.fixed if subject.config is not None else ()
    needed = [*_variable_paths(own), *map(paths.path_of, given)]
    return [path for path in dict.fromkeys(needed) if paths.find(tree, path) != paths.find(own, path)]


def _variable_paths(own: Any, above: Path = ()) -> Iterator[Path]:
    """Where a configuration has `${...}`; not inside lists, which may be replaced as a whole."""
    if isinstance(own, dict):
        for key, value in own.items():
            yield from _variable_paths(value, (*above, key))
    elif isinstance(own, str) and _VARIABLE.search(own):
        yield above


def _filled(tree: Any, values: Mapping[str, str]) -> Any:
    if isinstance(tree, dict):
        return {key: _filled(value, values) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_filled(item, values) for item in tree]
    if not isinstance(tree, str):
        return tree
    whole = _VARIABLE.fullmatch(tree)
    if whole and whole[1].startswith(_PORT) and whole[1] in values:
        return int(values[whole[1]])
    return fill(tree, values)


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
