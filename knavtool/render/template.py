"""Object templates of workflows: Go template text, rendered by Helm's engine in one call for all objects of a task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import RenderError
from knavtool.render import gotemplate
from knavtool.render.driver import ENUM_STAMP, NAME_STAMP, Answer, run
from knavtool.render.formats import Formats
from knavtool.render.objects import parse
from knavtool.render.source import split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.helm import Helm
    from knavtool.render.manifests import Manifest
    from knavtool.render.source import ObjectTemplate

NAME = gotemplate.NAME
ENUM = gotemplate.ENUM
_STAMPABLE = re.compile(r"[a-z](?=[a-z0-9.-]*[0-9-])[a-z0-9.-]*[a-z0-9]")
"""A name that YAML reads as text wherever it stands behind a space, a quote or a dash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All objects of one task, per instance; `pod_patterns` per instance if a format was given.

    `documents` are the numbers of the template's documents that the objects come from: those of a list, or of a loop,
    have one number, and one that renders to nothing leaves its number out.
    """

    names: tuple[str, ...]
    objects: tuple[tuple[Manifest, ...], ...]
    documents: tuple[tuple[int, ...], ...]
    pod_patterns: tuple[str, ...]
    pod_count: str


def missing_parameters(template: ObjectTemplate, params: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(parameter, line of the file) of each parameter that the template prints and nobody gives."""
    if template.raw:
        return []
    # The separators are actions of one line each, so the lines of the text are those of the file.
    return [(reference.field, reference.line + 1) for reference in gotemplate.missing(template.text, params)]


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
    """Render `count` instances, numbered from `first_enum`, with one call of Helm, or none if nothing is a template.

    Instances that differ in their name and number only are rendered once and stamped. Raises RenderError with the
    template's file and line. With `lenient` a parameter that is not given is printed as `<no value>`.
    """
    numbers = range(first_enum, first_enum + count)
    if template.raw:
        return await _as_it_is(helm, template, formats, params, numbers)
    if count > 1 and formats.name is not None and gotemplate.only_printed(template.text):
        answer = await run(helm, template, formats, params, numbers, stamped=True)
        _check_names(template, answer.names)
        if (instances := _stamped(template, answer, numbers, lenient=lenient)) is not None:
            return _rendered(answer, instances)
    answer = await run(helm, template, formats, params, numbers, stamped=False)
    if formats.name is not None:
        _check_names(template, answer.names)
    return _rendered(answer, [_parsed(template, text, lenient=lenient) for text in answer.instances])


async def _as_it_is(
    helm: Helm, template: ObjectTemplate, formats: Formats, params: Mapping[str, Any], numbers: range
) -> Rendered:
    """The objects of a file that is not rendered; a nameFormat gives all of them their name."""
    named = formats.name is not None
    parts = [
        (number, manifest)
        for number, block in enumerate(template.blocks)
        for manifest in parse(block, template, number, lenient=True, named=named)
    ]
    if formats == Formats():
        # Nothing is a template.
        answer = Answer(names=("",) * len(numbers), pod_patterns=(), pod_count="", instances=(), prototype="")
    else:
        answer = await run(helm, template, formats, params, numbers, stamped=False)
    if named:
        _check_names(template, answer.names)
    return _rendered(
        answer,
        [
            [(number, _with_name(manifest, name) if named else manifest) for number, manifest in parts]
            for name in answer.names
        ],
    )


def _with_name(manifest: Manifest, name: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


def _rendered(answer: Answer, instances: Sequence[Sequence[tuple[int, Manifest]]]) -> Rendered:
    return Rendered(
        names=answer.names,
        objects=tuple(tuple(manifest for _, manifest in parts) for parts in instances),
        documents=tuple(tuple(number for number, _ in parts) for parts in instances),
        pod_patterns=answer.pod_patterns,
        pod_count=answer.pod_count,
    )


def _parsed(template: ObjectTemplate, text: str, *, lenient: bool) -> list[tuple[int, Manifest]]:
    parts = [
        (number, manifest)
        for number, part in split(text, len(template.blocks))
        for manifest in parse(part, template, number, lenient=lenient)
    ]
    if not parts:
        raise RenderError(f"{template.file}: must render to at least one object, but gives nothing")
    return parts


def _stamped(
    template: ObjectTemplate, answer: Answer, numbers: range, *, lenient: bool
) -> list[list[tuple[int, Manifest]]] | None:
    """The objects made of the prototype; None if they would not be what rendering each gives."""
    if not all(_STAMPABLE.fullmatch(name) for name in answer.names):
        return None
    first = _parsed(template, answer.instances[0], lenient=lenient)
    prototypes = [
        (document, orjson.dumps(item)) for document, item in _parsed(template, answer.prototype, lenient=lenient)
    ]
    instances = [
        [(document, _stamp(prototype, name, number)) for document, prototype in prototypes]
        for name, number in zip(answer.names, numbers, strict=True)
    ]
    return instances if instances[0] == first else None


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
