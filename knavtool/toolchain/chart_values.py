"""Which values a chart knows: those of its values.yaml and values.schema.json, and of the charts inside it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.schema import nearest
from knavtool.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_ABOUT, _VALUES, _SCHEMA = "Chart.yaml", "values.yaml", "values.schema.json"
_FREE = ("labels", "annotations", "selector", "resources", "affinity", "context", "env", "args", "config", "data")
"""How the names of maps end whose keys are the user's, even if the chart has some of its own there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownValues:
    """`defaults` with those of charts inside under their names, and the `schema` of the chart itself."""

    defaults: Mapping[str, Any]
    schema: Mapping[str, Any] = field(default_factory=dict)


def known_values(chart: Path) -> KnownValues:
    """The values of a chart in a directory or an archive; raises RenderError if it cannot be read."""
    try:
        files = dict(_in_directory(chart) if chart.is_dir() else _in_archive(chart.read_bytes()))
        return _known(files)
    except (OSError, tarfile.TarError, ValueError, AttributeError, TypeError, KeyError, yaml.YAMLError) as error:
        raise RenderError(f"{chart}: its values cannot be read: {error}") from error


def unknown_values(values: Mapping[str, Any], known: KnownValues) -> Iterator[str]:
    """The names of values that the chart does not know, with the nearest that it knows: `a.b; did you mean "c"?`."""
    yield from _unknown(values, known.defaults, known.schema, "")


def _unknown(
    values: Mapping[str, Any], defaults: Mapping[str, Any], schema: Mapping[str, Any], before: str
) -> Iterator[str]:
    described = schema.get("properties") or {}
    open_ = not defaults or schema.get("patternProperties") or isinstance(schema.get("additionalProperties"), dict)
    for key, value in values.items():
        name = f"{before}{key}"
        if key in defaults:
            below, inner = defaults[key], described.get(key)
            if isinstance(value, dict) and isinstance(below, dict) and not key.lower().endswith(_FREE):
                yield from _unknown(value, below, inner if isinstance(inner, dict) else {}, f"{name}.")
        elif not (open_ or key in described or key == "global"):
            yield name + nearest(key, [*defaults, *described])


def _known(files: Mapping[str, bytes]) -> KnownValues:
    """Of a chart whose files are given by their path in it."""
    about = yaml.load(files[_ABOUT], yaml.CSafeLoader)
    defaults: dict[str, Any] = yaml.load(files.get(_VALUES, b""), yaml.CSafeLoader) or {}
    schema: dict[str, Any] = json.loads(files.get(_SCHEMA, b"{}"))
    inside = {_name(one): _known(one).defaults for one in _charts_inside(files)}
    for dependency in about.get("dependencies") or ():
        name = dependency.get("alias") or dependency["name"]
        # What the outer chart says of one inside is part of what it knows.
        known = inside.get(dependency["name"], {})
        defaults[name] = {**known, **(defaults.get(name) or {})} if known else {}
        for switch in str(dependency.get("condition") or "").split(","):
            _put(defaults, switch.strip().split("."))
    return KnownValues(defaults=defaults, schema=schema)


def _name(files: Mapping[str, bytes]) -> str:
    return str(yaml.load(files[_ABOUT], yaml.CSafeLoader)["name"])


def _put(values: dict[str, Any], path: list[str]) -> None:
    """Note that there is a value at a path, such as the one that switches a chart inside on."""
    for part in path[:-1]:
        below = values.get(part)
        if not isinstance(below, dict) or not below:
            return
        values = below
    if path[-1]:
        values.setdefault(path[-1], None)


def _charts_inside(files: Mapping[str, bytes]) -> Iterator[Mapping[str, bytes]]:
    """The files of the charts in `charts/`, whether they are archives or directories."""
    directories: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        first, _, rest = path.partition("/")
        if first != "charts":
            continue
        name, _, inner = rest.partition("/")
        if inner:
            directories.setdefault(name, {})[inner] = data
        elif name.endswith(".tgz"):
            yield dict(_in_archive(data))
    yield from (one for one in directories.values() if _ABOUT in one)


def _in_archive(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What matters of the files in an archive, by path below the chart's own directory."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and _matters(path) and (file := archive.extractfile(member)) is not None:
                yield str(path), file.read()


def _in_directory(chart: Path) -> Iterator[tuple[str, bytes]]:
    found: Iterable[Path] = (path for path in chart.rglob("*") if path.is_file())
    for path in found:
        if _matters(relative := PurePosixPath(path.relative_to(chart).as_posix())):
            yield str(relative), path.read_bytes()


def _matters(path: PurePosixPath) -> bool:
    return path.name in (_ABOUT, _VALUES, _SCHEMA) or (path.parts[:1] == ("charts",) and path.suffix == ".tgz")
