"""The temporary chart through which Helm's engine renders object templates, and its answer.

The user's texts are partial templates of the chart, verbatim, so that line numbers in messages are right. One manifest
includes them with the parameters as their root and prints the texts as JSON. Go's JSON writes `<` as an escape, so
Helm does not find, and silently remove, the `<no value>` of a parameter that is not given.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import RenderError
from knavtool.render.goliteral import literal
from knavtool.render.gotemplate import ENUM, NAME
from knavtool.render.objects import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.helm import Helm
    from knavtool.render.template import Formats, ObjectTemplate

NAME_STAMP = "knavtool-object-name-7c1e9f04"
"""Stands for the name in a prototype."""
ENUM_STAMP = 7_193_846_205_918_273_645
"""Stands for the number in a prototype."""
_CHART = "object-template"
_PLACE = re.compile(rf"{_CHART}/templates/(?P<file>[\w-]+)\.(?:tpl|yaml):(?P<line>\d+)(?::(?P<column>\d+))?\)?: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rendered texts. If stamped, `instances` holds the first one only, and `prototype` stands for all."""

    names: tuple[str, ...]
    pod_patterns: tuple[str, ...]
    pod_count: str
    instances: tuple[tuple[str, ...], ...]
    prototype: tuple[str, ...]


async def run(
    helm: Helm,
    template: ObjectTemplate,
    formats: Formats,
    params: Mapping[str, Any],
    numbers: range,
    *,
    stamped: bool,
) -> Answer:
    """One call of Helm; raises RenderError with the user's file and line."""
    with tempfile.TemporaryDirectory(prefix="knavtool-") as directory:
        _write(Path(directory), template, formats, params, numbers, stamped=stamped)
        try:
            output = await helm.template(Path(directory), release="objects")
        except RenderError as error:
            message = error.message.removeprefix(f"{Path(directory).name}: ")
            raise RenderError(_localised(message, template), hint=error.hint) from error
    # Before the JSON, Helm prints a line that names the manifest's file.
    answer = json.loads(output[output.index("{") :])
    records = answer["records"]
    return Answer(
        names=tuple(_text(template, "nameFormat", name) for name, _, _ in records),
        pod_patterns=tuple(_text(template, "podNameFormat", text) for _, text, _ in records if text is not None),
        pod_count=_text(template, "podCount", answer["podCount"]),
        instances=tuple(tuple(texts) for _, _, texts in records if texts),
        prototype=tuple(answer["prototype"]),
    )


def _write(
    directory: Path,
    template: ObjectTemplate,
    formats: Formats,
    params: Mapping[str, Any],
    numbers: range,
    *,
    stamped: bool,
) -> None:
    templates = directory / "templates"
    templates.mkdir()
    (directory / "Chart.yaml").write_text(f"apiVersion: v2\nname: {_CHART}\nversion: 0.0.0\n", encoding="utf-8")
    for number, block in enumerate(template.blocks):
        (templates / f"_block-{number}.tpl").write_text(block, encoding="utf-8")
    for name, text in (("name", formats.name), ("podName", formats.pod_name), ("podCount", formats.pod_count)):
        if text is not None:
            (templates / f"_{name}.tpl").write_text(text, encoding="utf-8")
    (templates / "driver.yaml").write_text(
        _driver(len(template.blocks), formats, params, numbers, stamped=stamped), encoding="utf-8"
    )


def _driver(block_count: int, formats: Formats, params: Mapping[str, Any], numbers: range, *, stamped: bool) -> str:
    """The manifest that prints `{"records": [[name, pod pattern, [text, ...]], ...], "podCount": ..., ...}`."""
    named = formats.name is not None
    given = {key: value for key, value in params.items() if not named or key not in (NAME, ENUM)}
    texts = f"[{','.join(_json(_include(f'block-{number}')) for number in range(block_count))}]"
    parts = [_do(f"$params := {literal(given)}"), '{"apiVersion":"v1","kind":"Rendered","records":[']
    parts += [_do(f"range $index := until {len(numbers)}"), _do("if $index"), ",", _do("end")]
    if named:
        # A name is made of the parameters and the number; the name before it must not show.
        parts += [
            _do(f'$_ := unset $params "{NAME}"'),
            _do(f'$_ := set $params "{ENUM}" (add {numbers.start} $index | int)'),
            _do(f'$_ := set $params "{NAME}" ({_include("name")} | trim)'),
        ]
    pattern = _json(_include("podName")) if formats.pod_name is not None else "null"
    parts += ["[", _json(f"$params.{NAME}") if named else '""', ",", pattern, ","]
    parts += [_do("if not $index"), texts, _do("else"), "[]", _do("end")] if stamped else [texts]
    parts += ["]", _do("end"), '],"podCount":']
    parts.append(_json(_include("podCount")) if formats.pod_count is not None else '""')
    if stamped:
        parts += [_do(f'$_ := set $params "{ENUM}" {ENUM_STAMP}'), _do(f'$_ := set $params "{NAME}" "{NAME_STAMP}"')]
    parts += [',"prototype":', texts if stamped else "[]", "}"]
    return "".join(parts)


def _do(code: str) -> str:
    return f"{{{{ {code} }}}}"


def _json(code: str) -> str:
    return _do(f"{code} | toJson")


def _include(name: str) -> str:
    return f'(include "{_CHART}/templates/_{name}.tpl" $params)'


def _text(template: ObjectTemplate, field: str, text: str) -> str:
    if NO_VALUE in text:
        raise RenderError(
            f"{template.file}: {field} prints a parameter that is not given: {text.strip()}", hint="give it in params"
        )
    return text.strip()


def _localised(message: str, template: ObjectTemplate) -> str:
    """Helm's message with the user's file, line and column in place of the temporary chart's."""
    places = list(_PLACE.finditer(message))
    if not places:
        return f"{template.file}: {message}"
    last = places[-1]
    text = re.sub(r'^executing "[^"]*" at ', "at ", message[last.end() :])
    if last["file"].startswith("_block-"):
        line = template.lines[int(last["file"].removeprefix("_block-"))] + int(last["line"]) - 1
        # Go counts columns from 0.
        column = f":{int(last['column']) + 1}" if last["column"] else ""
        return f"{template.file}:{line}{column}: {text}"
    if last["file"] == "driver":
        return f"{template.file}: {text}"
    field = {"_name": "nameFormat", "_podName": "podNameFormat", "_podCount": "podCount"}[last["file"]]
    return f"{template.file}: {field}: {text}"
