"""The temporary chart through which Helm's engine renders object templates, and its answer.

The user's file is a partial template of the chart with its lines as they are, so that line numbers in messages are
right. One manifest includes it with the parameters as its root and prints the texts as JSON. Go's JSON writes `<` as
an escape, so Helm does not find, and silently remove, the `<no value>` of a parameter that is not given.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import RenderError
from knavtool.render.faults import CHART, located
from knavtool.render.goliteral import literal
from knavtool.render.gotemplate import ENUM, NAME
from knavtool.render.objects import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.helm import Helm
    from knavtool.render.formats import Formats
    from knavtool.render.source import ObjectTemplate

NAME_STAMP = "knavtool-object-name-7c1e9f04"
"""Stands for the name in a prototype."""
ENUM_STAMP = 7_193_846_205_918_273_645
"""Stands for the number in a prototype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rendered texts. If stamped, `instances` holds the first one only, and `prototype` stands for all."""

    names: tuple[str, ...]
    pod_patterns: tuple[str, ...]
    pod_count: str
    instances: tuple[str, ...]
    prototype: str


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

    async def call(text: str) -> str:
        with tempfile.TemporaryDirectory(prefix="knavtool-") as directory:
            _write(Path(directory), replace(template, text=text), formats, params, numbers, stamped=stamped)
            try:
                return await helm.template(Path(directory), release="objects")
            except RenderError as error:
                message = error.message.removeprefix(f"{Path(directory).name}: ")
                raise RenderError(message, hint=error.hint) from error

    try:
        output = await call(template.text)
    except RenderError as error:
        raise await located(error, template, call) from error
    # Before the JSON, Helm prints a line that names the manifest's file.
    answer = json.loads(output[output.index("{") :])
    records = answer["records"]
    return Answer(
        names=tuple(_text(template, "nameFormat", name) for name, _, _ in records),
        pod_patterns=tuple(_text(template, "podNameFormat", text) for _, text, _ in records if text is not None),
        pod_count=_text(template, "podCount", answer["podCount"]),
        instances=tuple(text for _, _, text in records if text is not None),
        prototype=answer["prototype"],
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
    (directory / "Chart.yaml").write_text(f"apiVersion: v2\nname: {CHART}\nversion: 0.0.0\n", encoding="utf-8")
    if not template.raw:
        (templates / "_object.tpl").write_text(template.text, encoding="utf-8")
    for name, text in (("name", formats.name), ("podName", formats.pod_name), ("podCount", formats.pod_count)):
        if text is not None:
            (templates / f"_{name}.tpl").write_text(text, encoding="utf-8")
    (templates / "driver.yaml").write_text(
        _driver(formats, params, numbers, raw=template.raw, stamped=stamped), encoding="utf-8"
    )


def _driver(formats: Formats, params: Mapping[str, Any], numbers: range, *, raw: bool, stamped: bool) -> str:
    """The manifest that prints `{"records": [[name, pod pattern, text], ...], "podCount": ..., "prototype": ...}`."""
    named = formats.name is not None
    given = {key: value for key, value in params.items() if not named or key not in (NAME, ENUM)}
    text = _json(_include("object")) if not raw else "null"
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
    parts += [_do("if not $index"), text, _do("else"), "null", _do("end")] if stamped else [text]
    parts += ["]", _do("end"), '],"podCount":']
    parts.append(_json(_include("podCount")) if formats.pod_count is not None else '""')
    if stamped:
        parts += [_do(f'$_ := set $params "{ENUM}" {ENUM_STAMP}'), _do(f'$_ := set $params "{NAME}" "{NAME_STAMP}"')]
    parts += [',"prototype":', text if stamped else '""', "}"]
    return "".join(parts)


def _do(code: str) -> str:
    return f"{{{{ {code} }}}}"


def _json(code: str) -> str:
    return _do(f"{code} | toJson")


def _include(name: str) -> str:
    return f'(include "{CHART}/templates/_{name}.tpl" $params)'


def _text(template: ObjectTemplate, field: str, text: str) -> str:
    if NO_VALUE in text:
        raise RenderError(
            f"{template.file}: {field} prints a parameter that is not given: {text.strip()}", hint="give it in params"
        )
    return text.strip()
