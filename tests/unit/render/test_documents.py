"""Object templates as people have them: which documents a file has, and what each gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import RenderError
from knavtool.helm import Helm
from knavtool.render.formats import Formats
from knavtool.render.source import ObjectTemplate, load_template
from knavtool.render.template import Rendered, render_objects

Render = Callable[..., Awaitable[Rendered]]
Template = Callable[[str], ObjectTemplate]


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "
A, B, C = (f"{HEAD}{name}\n" for name in "abc")


def names(rendered: Rendered) -> list[list[tuple[int, str]]]:
    """Per instance, the number of the document and the name of each object."""
    return [
        [(number, item["metadata"]["name"]) for number, item in zip(documents, objects, strict=True)]
        for documents, objects in zip(rendered.documents, rendered.objects, strict=True)
    ]


LICENCE = "# Copyright of somebody\n# SPDX-License-Identifier: Apache-2.0\n"
LIST = "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
POD = "{apiVersion: v1, kind: Pod, metadata: {name: b}}"
BLOCK_TEXT = "data:\n  text: |\n    ---\n    # no comment\n"
FILES: list[tuple[str, list[tuple[int, str]]]] = [
    (LICENCE + "---\n" + A + "---\n", [(0, "a")]),
    ("{{/*\n" + LICENCE + "*/}}\n---\n" + A, [(0, "a")]),
    ("--- # Source: a.yaml\n" + A + "---   #Source: b.yaml\n" + B, [(0, "a"), (1, "b")]),
    ("---\n# nothing\n---\n---\n" + A + "---\n  # the end\n", [(0, "a")]),
    (("\ufeff" + LICENCE + "---\n" + A).replace("\n", "\r\n"), [(0, "a")]),
    # Definitions and variables print nothing, and hold for the whole file.
    ("{{ define `n` }}a{{ end }}{{ $x := `b` }}\n---\n" + HEAD + "{{ include `n` . }}-{{ $x }}", [(0, "a-b")]),
    # What renders to nothing keeps its number.
    ("---\n{{- if .off }}\n" + A + "{{- end }}\n---\n" + B, [(1, "b")]),
    (A + "---\n{{- if .on }}\n# only a comment\nnull\n{{- end }}\n---\n" + C, [(0, "a"), (2, "c")]),
    ("{{- if .off }}\n---\n" + A + "{{- end }}\n---\n" + B, [(1, "b")]),
    ("{{- if .on -}}\n---\n" + A + "{{- end }}\n---\n" + B, [(0, "a"), (1, "b")]),
    # Every round of a loop has the number of the document that is written once.
    ("{{- range .list }}\n---\n" + HEAD + "a{{ . }}\n{{- end }}\n---\n" + B, [(0, "a1"), (0, "a2"), (1, "b")]),
    # What stands in an action separates nothing, but the text it prints may.
    ("{{/*\n---\n*/}}\n" + A, [(0, "a")]),
    ("{{ `" + A + "---\n" + B + "` }}", [(0, "a"), (0, "b")]),
    (A + BLOCK_TEXT + "---\nnull\n", [(0, "a")]),
    # Each item of a list.
    (LIST + f"- {POD}\n- {{apiVersion: v1, kind: List, items: [{POD}]}}\n---\n" + C, [(0, "b"), (0, "b"), (1, "c")]),
    (LIST + "---\n" + C, [(1, "c")]),
    ("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\n", [(0, "a")]),
    ('{\n\t"apiVersion": "v1",\n\t"kind": "Pod",\n\t"metadata": {"name": "a"}\n}\n', [(0, "a")]),
]


@pytest.mark.parametrize(("text", "wanted"), FILES)
async def test_documents_are_those_that_kubectl_would_find(
    tmp_path: Path, helm: Helm, text: str, wanted: list[tuple[int, str]]
) -> None:
    (tmp_path / "f.yml").write_bytes(text.encode())
    params = {"on": True, "off": False, "list": [1, 2]}
    rendered = await render_objects(
        helm, load_template(tmp_path / "f.yml"), Formats(), params=params, count=1, first_enum=1
    )
    assert names(rendered) == [wanted]


async def test_items_of_a_list_have_its_kind_if_they_have_none(render: Render) -> None:
    rendered = await render("apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}]\n", name=None)
    (pod,) = rendered.objects[0]
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")


async def test_each_instance_has_the_documents_that_it_renders_to(render: Render) -> None:
    name = HEAD + "{{._NAME_}}-"
    text = name + "a\n---\n{{- if eq ._ENUM_ 2 }}\n" + name + "b\n{{- end }}\n---\n" + name + "c\n"
    assert names(await render(text, count=3)) == [
        [(0, "job-1-a"), (2, "job-1-c")],
        [(0, "job-2-a"), (1, "job-2-b"), (2, "job-2-c")],
        [(0, "job-3-a"), (2, "job-3-c")],
    ]


async def test_stamped_instances_have_documents_too(render: Render) -> None:
    text = LICENCE + "---\n{{ if .off }}" + A + "{{ end }}\n---\n" + HEAD + "{{._NAME_}}\n"
    assert names(await render(text, {"off": False}, count=2)) == [[(1, "job-1")], [(1, "job-2")]]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_file_that_renders_to_nothing_at_all(render: Render, count: int) -> None:
    text = "{{ if .on }}" + HEAD + "a{{._ENUM_}}{{ end }}"
    with pytest.raises(RenderError, match=r"template\.yml: must render to at least one object, but gives nothing"):
        await render(text, count=count)


VERSION = "metadata.resourceVersion must not be set on creation"
LIVE = "- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: x\n    resourceVersion: '7'\n"
CONDITION = "{{ if .on }}\n# long\n# header\n{{ end }}\n---\n"
FAULTS = [
    (LICENCE + "---\nkind: A\nspec:\n\tx: 1\n", 6, "a tab begins the line, expected spaces: x: 1"),
    (CONDITION + "kind: A\nspec: {{ .on }}\n\tx: {{ .on }}\n", 8, "a tab begins"),
    (A + "---\n" + B + "  b: c: d\n", 10, "mapping values are not allowed in this context at: b: c: d"),
    (A + "  labels: {x: y}\n  resourceVersion: '7'\n", 6, VERSION),
    (A + "---\napiVersion: v1\nkind: List\nitems:\n" + LIVE, 13, VERSION),
    ('{\n"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a",\n"resourceVersion": "7"}}', 3, VERSION),
]


@pytest.mark.parametrize(("text", "line", "says"), FAULTS)
async def test_a_fault_is_told_with_its_line(render: Render, text: str, line: int, says: str) -> None:
    with pytest.raises(RenderError, match=rf"template\.yml:{line}: (document \d: )?(does not render to YAML: )?{says}"):
        await render(text, {"on": 1}, name=None)


FOREIGN = [
    ("{{ $now := Now }}\n    {{ $now | Quote }} {{ Quote 1 }}", ['6: function "Now"', '7: function "Quote"']),
    ("{{ $labels.instance }}", ['6: undefined variable "$labels"']),
    ("{{workflow.name}} {{item}}", ['6: function "workflow"', '6: function "item"']),
    ("{{=sprig.upper(x)}}", ['6: unexpected "=" in command']),
    ("{{ `quoted` }} {{/* Now */}} {{ nope", ['6: function "nope"']),
]


@pytest.mark.parametrize(("text", "told"), FOREIGN)
async def test_text_that_is_not_ours_to_render(render: Render, text: str, told: list[str]) -> None:
    with pytest.raises(RenderError) as caught:
        await render(f"{A}x: |\n    {text}\n", name=None)
    lines = caught.value.message.splitlines()
    assert [line.rpartition("template.yml:")[2].removesuffix(" not defined") for line in lines] == told
    assert "{{`...`}}" in caught.value.hint
    assert "raw: true" in caught.value.hint


STAGE = LICENCE + "---\n" + HEAD + 'stage\ndata: {t: "{{ $now := Now }} <no value>"}\n---\n' + B


def raw(helm: Helm, path: Path, text: str, *, count: int = 1, **formats: Any) -> Awaitable[Rendered]:
    """Render a file that is taken as it is."""
    path.write_text(text)
    template = load_template(path, raw=True)
    return render_objects(helm, template, Formats(**formats), params={"n": 3}, count=count, first_enum=5)


async def test_a_raw_file_is_taken_as_it_is(tmp_path: Path) -> None:
    rendered = await raw(Helm(tmp_path / "nowhere"), tmp_path / "f.yml", STAGE)
    assert names(rendered) == [[(0, "stage"), (1, "b")]]
    assert rendered.objects[0][0]["data"] == {"t": "{{ $now := Now }} <no value>"}


async def test_formats_of_a_raw_file_are_rendered(helm: Helm, tmp_path: Path) -> None:
    rendered = await raw(
        helm,
        tmp_path / "f.yml",
        STAGE,
        count=2,
        name="s{{._ENUM_}}-{{.n}}",
        pod_name="{{._NAME_}}-.*",
        pod_count="{{.n}}",
    )
    assert names(rendered) == [[(0, "s5-3"), (1, "s5-3")], [(0, "s6-3"), (1, "s6-3")]]
    assert (rendered.pod_patterns, rendered.pod_count) == (("s5-3-.*", "s6-3-.*"), "3")


async def test_a_name_format_names_raw_objects_that_have_no_name(helm: Helm, tmp_path: Path) -> None:
    rendered = await raw(helm, tmp_path / "f.yml", "apiVersion: v1\nkind: Pod\n", name="a")
    assert names(rendered) == [[(0, "a")]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (A + "---\n\tx: 1\n", r"f\.yml:6: document 1: does not render to YAML: a tab begins the line"),
        (A + "  resourceVersion: '7'\n", r"f\.yml:5: metadata.resourceVersion must not be set"),
        ("apiVersion: v1\nkind: Pod\n", r"f\.yml:1: metadata.name is missing"),
    ],
)
async def test_faults_of_a_raw_file(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RenderError, match=says):
        await raw(Helm(tmp_path / "nowhere"), tmp_path / "f.yml", text)
