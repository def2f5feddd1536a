"""Task types that other installed packages bring by the entry point `knavtool.tasks`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from knavtool.errors import PluginError
from knavtool.workflow.api import TASKS_API
from knavtool.workflow.registry import Registry, built_in, merged
from knavtool.workflow.task import Task
from knavtool.workflow.tasks import TYPES

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from knavtool.workflow.task import TaskType

GROUP = "knavtool.tasks"
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_REFERENCE = re.compile(r'"\$ref": "#/\$defs/(\w+)"')


@cache
def installed() -> Registry:
    """The types of knavtool and of all installed packages. Raises PluginError if one of them cannot be used."""
    types: dict[str, type[TaskType]] = dict(TYPES)
    brought: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
        earlier = brought.get(entry.name) or ("knavtool" if entry.name in types else "")
        try:
            types[entry.name] = _loaded(entry, earlier)
        except _Unusable as error:
            raise PluginError(
                f"the task type {entry.name} of the package {package} cannot be used: {error}",
                hint=f"update or uninstall {package.partition(' ')[0]}, or leave out all task types of other packages "
                "with --no-plugins",
            ) from error
        brought[entry.name] = package
    return Registry.of(types) if brought else built_in()


class _Unusable(Exception):
    """Why a type cannot be used."""


def _loaded(entry: EntryPoint, earlier: str) -> type[Task]:
    """The class, if nothing speaks against it; `earlier` is what has a type of that name already."""
    if earlier:
        raise _Unusable(f"{earlier} has one of that name")
    try:
        type_ = entry.load()
    except Exception as error:
        raise _Unusable(f"{entry.value}: {type(error).__name__}: {error}") from error
    if not _NAME.fullmatch(entry.name):
        raise _Unusable("its name has to be a capital letter with letters and digits after it")
    if not (isinstance(type_, type) and issubclass(type_, Task)):
        raise _Unusable(f"{entry.value} is no subclass of knavtool.workflow.api.Task")
    wanted = getattr(type_, "tasks_api", None)
    if wanted != TASKS_API:
        said = f"is written for version {wanted} of the interface" if wanted is not None else "names no tasks_api"
        raise _Unusable(f"{entry.value} {said}; this knavtool has version {TASKS_API}")
    if inspect.isabstract(type_):
        raise _Unusable(f"{entry.value} lacks {', '.join(sorted(type_.__abstractmethods__))}")
    if not (isinstance(getattr(type_, "summary", None), str) and isinstance(getattr(type_, "schema", None), Mapping)):
        raise _Unusable(f"{entry.value} needs a summary and a schema")
    _check_schema(entry.name, type_)
    return type_


def _check_schema(name: str, type_: type[Task]) -> None:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        definitions = merged({name: type_})["$defs"]
        Draft202012Validator.check_schema(definitions[name])
        unknown = set(_REFERENCE.findall(json.dumps(definitions[name]))) - set(definitions)
    except (SchemaError, KeyError, TypeError, AttributeError) as error:
        message = error.message if isinstance(error, SchemaError) else f"{type(error).__name__}: {error}"
        raise _Unusable(f"its schema is none: {message}") from error
    if unknown:
        raise _Unusable(f"its schema refers to {', '.join(sorted(unknown))}, and there is no such definition")
