"""Object templates of workflows: Go template text, rendered by Helm's engine in one call for all objects of a task."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from knavtool.documents.values import text as scalar_text
from knavtool.documents.yaml import load_rendered
from knavtool.errors import DocumentError, RenderError
from knavtool.render import gotemplate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.helm import Helm
    from knavtool.render.manifests import Manifest

NAME = "_NAME_"
ENUM = "_ENUM_"
_CHART = "object-template"
_NAME_STAMP = "knavtool-object-name"
_ENUM_STAMP = 7_193_846_205_918_273_645
"""Stands for the number in a prototype; it has no chance to stand in a template by itself."""
_SEPARATOR = re.compile(r"^---[ \t\r]*$", re.MULTILINE)
_STAMPABLE = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTemplate:
    """A template file cut at its `---` lines; `lines` are the line numbers at which the blocks begin."""

    file: Path
    blocks: tuple[str, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """What RegisterObj says about names and pods; None where it says nothing."""

    name: str | None = None
    pod_name: str | None = None
    pod_count: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All objects of one task: `objects` per instance and block, `pod_patterns` per instance."""

    names: tuple[str, ...]
    objects: tuple[tuple[Manifest, ...], ...]
    pod_patterns: tuple[str, ...]
    pod_count: str


def load_template(path: Path) -> ObjectTemplate:
    """Read a template file; empty blocks are left out."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path}: the template cannot be read: {error}") from None
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
    """(parameter, line) of each parameter that the template prints and nobody gives."""
    missing: list[tuple[str, int]] = []
    for block, first in zip(template.blocks, template.lines, strict=True):
        for reference in gotemplate.required(block):
            if not gotemplate.given(reference.field, params):
                missing.append((reference.field, first + reference.line))
    return missing


async def render_objects(
    helm: Helm,
    template: ObjectTemplate,
    formats: Formats,
    *,
    params: Mapping[str, Any],
    count: int,
    first_enum: int,
) -> Rendered:
    """Render `count` instances, numbered from `first_enum`, with one call of Helm.

    Instances that differ in their name and number only are rendered once and stamped. Raises RenderError with the
    template's file and line.
    """
    stamped = formats.name is not None and count > 1 and _only_printed(template.blocks)
    with tempfile.TemporaryDirectory(prefix="knavtool-") as directory:
        _write_chart(Path(directory), template, formats, params, count, first_enum, stamped=stamped)
        try:
            output = await helm.template(Path(directory), release="objects")
        except RenderError as error:
            raise RenderError(_localised(error.message, template, directory), hint=error.hint) from error
    answer = json.loads(output[output.index("{") :])
    names = tuple(record[0].strip() for record in answer["instances"])
    patterns = tuple(record[1].strip() for record in answer["instances"]) if formats.pod_name is not None else ()
    if stamped and all(_STAMPABLE.fullmatch(name) for name in names):
        prototypes = [orjson.dumps(item) for item in _parsed(template, answer["prototype"])]
        objects = tuple(
            tuple(_stamp(prototype, name, first_enum + number) for prototype in prototypes)
            for number, name in enumerate(names)
        )
    elif stamped:
        raise RenderError(f"{template.file}: nameFormat gives {names[0]!r}, which cannot be an object's name")
    else:
        objects = tuple(tuple(_parsed(template, record[2])) for record in answer["instances"])
    return Rendered(names=names, objects=objects, pod_patterns=patterns, pod_count=answer["podCount"].strip())


def _only_printed(blocks: Sequence[str]) -> bool:
    return all(gotemplate.only_printed(block, (NAME, ENUM)) for block in blocks)


def _write_chart(
    directory: Path,
    template: ObjectTemplate,
    formats: Formats,
    params: Mapping[str, Any],
    count: int,
    first_enum: int,
    *,
    stamped: bool,
) -> None:
    """A chart whose partial templates are the user's texts, verbatim, and whose one manifest prints them as JSON."""
    templates = directory / "templates"
    templates.mkdir()
    (directory / "Chart.yaml").write_text(f"apiVersion: v2\nname: {_CHART}\nversion: 0.0.0\n")
    for number, block in enumerate(template.blocks):
        (templates / f"_block-{number}.tpl").write_text(block)
    for name, body in (("name", formats.name), ("podName", formats.pod_name), ("podCount", formats.pod_count)):
        (templates / f"_{name}Format.tpl").write_text(body or "")

    def include(name: str) -> str:
        return f'(include "{_CHART}/templates/_{name}.tpl" $p) | toJson'

    blocks = ",".join(f"{{{{ {include(f'block-{number}')} }}}}" for number in range(len(template.blocks)))
    named = f'{{{{- $_ := set $p "{NAME}" (include "{_CHART}/templates/_nameFormat.tpl" $p | trim) }}}}'
    (templates / "driver.yaml").write_text(
        f"{{{{- $p := {gotemplate.literal({k: v for k, v in params.items() if k not in (NAME, ENUM)})} }}}}\n"
        '{"apiVersion":"v1","kind":"Rendered","instances":['
        f"{{{{- range $i := until {count} }}}}{{{{ if $i }}}},{{{{ end }}}}"
        + (f'{{{{- $_ := set $p "{ENUM}" (add {first_enum} $i | int) }}}}{named}' if formats.name is not None else "")
        + f"[{{{{ {include('nameFormat')} }}}},{{{{ {include('podNameFormat')} }}}},[{'' if stamped else blocks}]]"
        f'{{{{- end }}}}],"podCount":{{{{ {include("podCountFormat")} }}}}'
        + (
            f'{{{{- $_ := set $p "{ENUM}" {_ENUM_STAMP} }}}}{{{{- $_ := set $p "{NAME}" "{_NAME_STAMP}" }}}}'
            f',"prototype":[{blocks}]'
            if stamped
            else ""
        )
        + "}\n"
    )


def _stamp(prototype: bytes, name: str, number: int) -> Manifest:
    body = prototype.replace(_NAME_STAMP.encode(), name.encode()).replace(
        str(_ENUM_STAMP).encode(), str(number).encode()
    )
    stamped: Manifest = orjson.loads(body)
    return stamped


def _parsed(template: ObjectTemplate, texts: Sequence[str]) -> list[Manifest]:
    """One object per block, as sent to the server: unchanged but for labels and annotations, which become text."""
    return [
        _object(body, f"{template.file}:{first}: document {number}")
        for number, (body, first) in enumerate(zip(texts, template.lines, strict=True))
    ]


def _object(body: str, where: str) -> Manifest:
    try:
        documents = load_rendered(body)
    except yaml.YAMLError as error:
        raise RenderError(f"{where} does not render to YAML: {error}", hint=f"it rendered to\n{body}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise RenderError(f"{where} must render to one object")
    return _checked(documents[0], where)


def _checked(manifest: Manifest, where: str) -> Manifest:
    metadata = manifest.get("metadata")
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str):
            raise RenderError(f"{where}: {key} is missing")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise RenderError(f"{where}: metadata.name is missing")
    if "name" in metadata:
        metadata["name"] = scalar_text(metadata["name"])
    for key in ("labels", "annotations"):
        if isinstance(metadata.get(key), dict):
            metadata[key] = {k: "" if v is None else scalar_text(v) for k, v in metadata[key].items()}
    return manifest


def _localised(message: str, template: ObjectTemplate, directory: str) -> str:
    """Helm's message with the user's file and line in place of the temporary chart's."""

    def block(found: re.Match[str]) -> str:
        number, line = int(found[1]), int(found[2])
        return f"{template.file}:{template.lines[number] + line - 1}"

    text = re.sub(rf"{_CHART}/templates/_block-(\d+)\.tpl:(\d+)", block, message)
    text = re.sub(rf"{_CHART}/templates/_(\w+)Format\.tpl:\d+(:\d+)?", r"\1Format", text).replace(
        "nameFormat", "nameFormat"
    )
    text = text.removeprefix(f"{Path(directory).name}: ")
    return text if str(template.file) in text else f"{template.file}: {text}"
