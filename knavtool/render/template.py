"""Object templates of workflows: Go template text, rendered by Helm's engine in one call for all objects of a task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import DocumentError, RenderError
from knavtool.render import gotemplate
from knavtool.render.driver import ENUM_STAMP, NAME_STAMP, Answer, run
from knavtool.render.objects import parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.helm import Helm
    from knavtool.render.manifests import Manifest

NAME = gotemplate.NAME
ENUM = gotemplate.ENUM
_SEPARATOR = re.compile(r"^---[ \t\r]*$", re.MULTILINE)
_STAMPABLE = re.compile(r"[a-z](?=[a-z0-9.-]*[0-9-])[a-z0-9.-]*[a-z0-9]")
"""A name that YAML reads as text wherever it stands behind a space, a quote or a dash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTemplate:
    """A template file cut at its `---` lines; `lines` are the line numbers at which the blocks begin."""

    file: Path
    blocks: tuple[str, ...]
    lines: tuple[int, ...]

    def place(self, block: int) -> str:
        """How messages call a block."""
        place = f"{self.file}:{self.lines[block]}"
        return place if len(self.blocks) == 1 else f"{place}: document {block}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """What RegisterObj says about names and pods; None where it says nothing."""

    name: str | None = None
    pod_name: str | None = None
    pod_count: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All objects of one task: `objects` per instance and block, `pod_patterns` per instance if a format was given."""

    names: tuple[str, ...]
    objects: tuple[tuple[Manifest, ...], ...]
    pod_patterns: tuple[str, ...]
    pod_count: str


def load_template(path: Path) -> ObjectTemplate:
    """Read a template file; empty blocks are left out. Raises DocumentError."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DocumentError(f"{path}: no such template") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DocumentError(f"{path}: the template cannot be read: {error.strerror}") from None
    blocks: list[str] = []
    lines: list[int] = []
    start = 0
    for end in [*(match.span() for match in _SEPARATOR.finditer(content)), (len(content), len(content))]:
        block = content[start : end[0]]
        if block.strip():
            blocks.append(block)
            lines.append(content.count("\n", 0, start) + 1)
        start = end[1]
    if not blocks:
        raise DocumentError(f"{path}: the template is empty")
    return ObjectTemplate(file=path, blocks=tuple(blocks), lines=tuple(lines))


def missing_parameters(template: ObjectTemplate, params: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(parameter, line of the file) of each parameter that the template prints and nobody gives."""
    found: dict[str, int] = {}
    for block, first in zip(template.blocks, template.lines, strict=True):
        for reference in gotemplate.missing(block, params):
            found.setdefault(reference.field, first + reference.line)
    return list(found.items())


async def render_objects(
    helm: Helm,
    template: ObjectTemplate,
    formats: Formats,
    *,
    params: Mapping[str, Any],
    count: int,
    first_enum: int,
    lenient: bool = False,
) -> Rendered:
    """Render `count` instances, numbered from `first_enum`, with one call of Helm.

    Instances that differ in their name and number only are rendered once and stamped. Raises RenderError with the
    template's file and line. With `lenient` a parameter that is not given is printed as `<no value>`.
    """
    numbers = range(first_enum, first_enum + count)
    if count > 1 and formats.name is not None and all(gotemplate.only_printed(block) for block in template.blocks):
        answer = await run(helm, template, formats, params, numbers, stamped=True)
        _check_names(template, answer.names)
        if (objects := _stamped(template, answer, numbers, lenient=lenient)) is not None:
            return _rendered(answer, objects)
    answer = await run(helm, template, formats, params, numbers, stamped=False)
    if formats.name is not None:
        _check_names(template, answer.names)
    return _rendered(answer, tuple(_parsed(template, texts, lenient=lenient) for texts in answer.instances))


def _rendered(answer: Answer, objects: tuple[tuple[Manifest, ...], ...]) -> Rendered:
    return Rendered(names=answer.names, objects=objects, pod_patterns=answer.pod_patterns, pod_count=answer.pod_count)


def _parsed(template: ObjectTemplate, texts: tuple[str, ...], *, lenient: bool) -> tuple[Manifest, ...]:
    return tuple(parse(text, template.place(number), lenient=lenient) for number, text in enumerate(texts))


def _stamped(
    template: ObjectTemplate, answer: Answer, numbers: range, *, lenient: bool
) -> tuple[tuple[Manifest, ...], ...] | None:
    """The objects made of the prototype; None if they would not be what rendering each gives."""
    if not all(_STAMPABLE.fullmatch(name) for name in answer.names):
        return None
    first = _parsed(template, answer.instances[0], lenient=lenient)
    prototypes = [orjson.dumps(item) for item in _parsed(template, answer.prototype, lenient=lenient)]
    objects = tuple(
        tuple(_stamp(prototype, name, number) for prototype in prototypes)
        for name, number in zip(answer.names, numbers, strict=True)
    )
    return objects if objects[0] == first else None


def _stamp(prototype: bytes, name: str, number: int) -> Manifest:
    body = prototype.replace(NAME_STAMP.encode(), name.encode()).replace(str(ENUM_STAMP).encode(), b"%d" % number)
    stamped: Manifest = orjson.loads(body)
    return stamped


def _check_names(template: ObjectTemplate, names: tuple[str, ...]) -> None:
    if not all(names):
        raise RenderError(f"{template.file}: nameFormat gives an empty name")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RenderError(
                f"{template.file}: nameFormat gives the name {name!r} to more than one object",
                hint=f"put {{{{.{ENUM}}}}} into nameFormat",
            )
        seen.add(name)
