from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import DocumentError, RenderError
from knavtool.helm import Helm
from knavtool.render import gotemplate
from knavtool.render import template as templates
from knavtool.render.source import ObjectTemplate, load_template
from knavtool.render.template import Rendered, missing_parameters

Render = Callable[..., Awaitable[Rendered]]
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{._NAME_}}\n"


def test_a_file_is_cut_at_its_separators(template: Callable[[str], ObjectTemplate]) -> None:
    loaded = template("---\na: 1\n--- \t\n\n\n---\r\nb: 2\n c: ---\n")
    assert [block.strip() for block in loaded.blocks] == ["a: 1", "b: 2\n c: ---"]
    assert loaded.lines == (1, 6)


@pytest.mark.parametrize("content", [b"", b"---\n---\n \n", b"\xff\xfe\xff"])
def test_a_file_that_is_no_template_is_a_document_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "template.yml"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match="template"):
        load_template(path)


def test_a_missing_file_is_a_document_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no such template"):
        load_template(tmp_path / "nothing.yml")


ODD = 'quote " back \\d+ `tick` {{ .x }} größe 😀'
# Parameters and what Go prints of them.
PRINTED: list[tuple[str, dict[str, Any], Any]] = [
    ("{{.n}}", {"n": 3}, 3),
    ("{{.n}}", {"n": -3}, -3),
    ("{{.n}}", {"n": 3.0}, 3),
    ("{{.n}}", {"n": 1.5}, 1.5),
    ("{{.n}}", {"n": 1e30}, 1e30),
    ("{{.n}}", {"n": 2**70}, float(2**70)),
    ("{{.n}}", {"n": 2**63 - 1}, 2**63 - 1),
    ("{{.b}}", {"b": True}, True),
    ('"{{.b}}"', {"b": False}, "false"),
    # Go prints a list as `[1 2]`, which YAML reads as a list of one text.
    ("{{.l}}", {"l": [1, 2]}, ["1 2"]),
    ('"{{.m}}"', {"m": {"b": 1, "a": "x"}}, "map[a:x b:1]"),
    ("{{.m.a.b}}", {"m": {"a": {"b": "deep"}}}, "deep"),
    ("{{ .s }}", {"s": "yes"}, True),
    ('"{{.s}}"', {"s": "yes"}, "yes"),
    ("{{.s}}", {"s": "2020-01-01"}, "2020-01-01"),
    ("'{{.s}}'", {"s": ODD}, ODD),
    ("|-\n  {{.s}}", {"s": "tab\tend"}, "tab\tend"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {"n": 0}, "none"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {"n": ""}, "none"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {"n": []}, "none"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {"n": None}, "none"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {}, "none"),
    ("{{ if .n }}some{{ else }}none{{ end }}", {"n": "0"}, "some"),
    ('{{or .n "default"}}', {}, "default"),
    ('{{or .n "default"}}', {"n": "given"}, "given"),
    ("{ {{- range $k, $v := .m }} {{ $k }}: {{ $v }}, {{- end }} }", {"m": {"b": 2, "a": 1}}, {"a": 1, "b": 2}),
    ("[ {{- range .l }}{{ . }}, {{- end }} ]", {"l": ["x", 2]}, ["x", 2]),
    ("{{/* a comment */ -}} x", {}, "x"),
    ("1 {{- .n }}", {"n": 2}, 12),
    ('{{ printf "%d" .n }}', {"n": 7}, 7),
    ("{{ .n | add 1 }}", {"n": 7}, 8),
    ("{{ with .m }}{{ .a }}{{ end }}", {"m": {"a": 1}}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "params", "wanted"), PRINTED)
async def test_parameters_are_printed_as_go_prints_them(
    render: Render, text: str, params: dict[str, Any], wanted: Any
) -> None:
    body = "\n  ".join(text.splitlines())
    rendered = await render(f"{HEAD}data: {body}\n", params)
    value = rendered.objects[0][0]["data"]
    assert value == wanted
    assert type(value) is type(wanted)


async def test_labels_and_annotations_become_text_and_the_rest_stays(render: Render) -> None:
    text = (
        HEAD + "  labels: {a: 8, b: true, c: , d: 1.0}\n  annotations: {e: no}\nstray: {kept: 1}\n"
        "spec: {template: {metadata: {labels: {x: 8}}}}\n"
    )
    (objects,) = (await render(text)).objects
    assert objects[0]["metadata"]["labels"] == {"a": "8", "b": "true", "c": "", "d": "1"}
    assert objects[0]["metadata"]["annotations"] == {"e": "false"}
    assert objects[0]["stray"] == {"kept": 1}
    assert objects[0]["spec"]["template"]["metadata"]["labels"] == {"x": 8}


async def test_each_instance_has_its_own_number_in_names_patterns_and_objects(render: Render) -> None:
    rendered = await render(
        HEAD + "data: {{._ENUM_}}-{{.size}}\n---\n" + HEAD.replace("ConfigMap", "Secret"),
        {"size": 2},
        count=3,
        first_enum=9,
        pod_name=r"{{._NAME_}}-\d+-[a-z]{5}<&>",
        pod_count="{{.size}} * 2",
    )
    assert rendered.names == ("job-9", "job-10", "job-11")
    assert rendered.pod_patterns == tuple(rf"job-{n}-\d+-[a-z]{{5}}<&>" for n in (9, 10, 11))
    assert rendered.pod_count == "2 * 2"
    assert [objects[0]["data"] for objects in rendered.objects] == ["9-2", "10-2", "11-2"]
    assert [[item["kind"] for item in objects] for objects in rendered.objects] == [["ConfigMap", "Secret"]] * 3


async def test_a_name_needs_no_other_parameter(render: Render) -> None:
    rendered = await render(HEAD, {}, count=2)
    assert [objects[0]["metadata"]["name"] for objects in rendered.objects] == list(rendered.names)


async def test_a_name_does_not_see_the_name_before_it(render: Render) -> None:
    with pytest.raises(RenderError, match="nameFormat prints a parameter that is not given"):
        await render(HEAD, count=2, name="{{._NAME_}}-{{._ENUM_}}")


async def test_without_a_name_format_the_users_own_names_stay(render: Render) -> None:
    rendered = await render(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{._NAME_}}'}\n", {"_NAME_": "mine"}, name=None
    )
    assert rendered.objects[0][0]["metadata"]["name"] == "mine"
    assert rendered.names == ("",)
    assert rendered.pod_patterns == ()
    assert rendered.pod_count == ""


# Templates in which instances differ in more, or in less, than a replaced word.
UNSAFE = [
    "data: {{ upper ._NAME_ }}",
    "data: {{ if eq ._ENUM_ 2 }}two{{ else }}other{{ end }}",
    'data: "{{ . }}"',
    "data: {{ index . `_NAME_` }}",
    "data: {{ $n := ._ENUM_ }}{{ add $n 1 }}",
    "data: 0{{._ENUM_}}",
    "data: 0 {{- ._ENUM_ }}",
    "data: {{ ._ENUM_ -}} 5",
    "data: {{ ._ENUM_ }}.5",
    "data: 1.0e-{{ ._ENUM_ }}",
    "data: 1{{ ._NAME_ }}",
    "data: {{ range until ._ENUM_ }}x{{ end }}",
    "data: {{ with $ }}{{ ._NAME_ | len }}{{ end }}",
    'data: {{ $_ := set . "seen" (append (or .seen list) 1) }}{{ len .seen }}',
    "data: {{ .a }}{{ ._ENUM_ }}",
    "data: {{ if .a }}{{ ._NAME_ }}{{ end }}",
]
SAFE = [
    "data: {{ ._NAME_ }}",
    'data: "{{._NAME_}}-{{._ENUM_}}"',
    "data: {{ ._ENUM_ }}",
    "data: -{{ ._ENUM_ }}",
    "data: [{{ $._ENUM_ }}, {{- ._NAME_ }}]",
    "data: {{ if .a }} {{ ._NAME_ }}{{ end }}",
    "data: {{ range .l }}{{ . }}-{{ $._NAME_ }} {{ end }}",
    "data: {x: {{- ._NAME_ -}} }",
    "{{ ._NAME_ }}: {{ ._ENUM_ }}",
    "data: {{ .a }}-{{ ._NAME_ }}.svc",
]
PARAMS = {"a": 1, "l": ["x", "y"]}


def test_the_table_of_safe_templates_is_right() -> None:
    assert [text for text in SAFE if not gotemplate.only_printed(text)] == []
    # The exponent looks like any number behind a dash; it is found when the first object is compared.
    assert [text for text in UNSAFE if gotemplate.only_printed(text)] == ["data: 1.0e-{{ ._ENUM_ }}"]


@pytest.mark.parametrize("text", SAFE + UNSAFE)
async def test_stamped_objects_are_those_that_rendering_each_gives(
    render: Render, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamped = await render(f"{HEAD}{text}\n", PARAMS, count=12, first_enum=7)
    monkeypatch.setattr(gotemplate, "only_printed", lambda _: False)
    assert stamped == await render(f"{HEAD}{text}\n", PARAMS, count=12, first_enum=7)


@pytest.mark.parametrize(
    "name", ["{{._ENUM_}}", "{{._ENUM_}}e{{._ENUM_}}", "Job-{{._ENUM_}}", "a:{{._ENUM_}}", "#{{._ENUM_}}"]
)
async def test_names_that_yaml_reads_in_its_own_way_are_rendered_one_by_one(
    render: Render, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{._NAME_}}'}\ndata: {{._NAME_}}\n"
    stamped = await render(text, count=3, name=name)
    monkeypatch.setattr(gotemplate, "only_printed", lambda _: False)
    assert stamped == await render(text, count=3, name=name)


async def test_many_objects_cost_one_call_of_helm_and_one_reading_of_yaml(
    helm: Helm, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    read = templates.parse

    def parse(body: str, *args: Any, **options: Any) -> Any:
        calls.append("parse")
        return read(body, *args, **options)

    async def template(self: Helm, *args: Any, **options: Any) -> str:
        calls.append("helm")
        return await whole(self, *args, **options)

    whole = Helm.template
    monkeypatch.setattr(templates, "parse", parse)
    monkeypatch.setattr(Helm, "template", template)
    rendered = await render(HEAD, count=1000)
    assert len({objects[0]["metadata"]["name"] for objects in rendered.objects}) == 1000
    # One object is read for the prototype and one to compare it with.
    assert calls == ["helm", "parse", "parse"]


FAULTS = [
    ("{{ .a.b }}", {}, r"template\.yml:5:12: at <\.a\.b>: nil pointer"),
    ("{{ foo }}", {}, r'template\.yml:5: function "foo" not defined'),
    ("{{ if .a }}", {}, r"template\.yml:6: unexpected EOF"),
    ("{{ .a }}", {}, r"template\.yml:1: prints a parameter that is not given: data: <no value>"),
    ("{{ .a }}", {"a": None}, r"not given: data: <no value>"),
    ('{{ fail "too small" }}', {}, r"template\.yml: too small"),
    ("a: b", {}, r"does not render to YAML: .* at: data: a: b"),
    ("x\n---\n- a", {}, r"template\.yml:6: document 1: must render to objects, but gives a list"),
    ("x\n---\nkind: A\nmetadata: {name: a}", {}, r"document 1: apiVersion is missing"),
    ("x\n---\napiVersion: v1\nmetadata: {name: a}", {}, r"document 1: kind is missing"),
    ("x\n---\napiVersion: v1\nkind: A\nmetadata: {}", {}, r"document 1: metadata.name is missing"),
    ("x\n---\napiVersion: v1\nkind: A\nmetadata: {name: a, labels: [1]}", {}, r"metadata.labels must be a map"),
    (
        "x\n---\napiVersion: v1\nkind: A\nmetadata: {name: a, labels: {b: [1]}}",
        {},
        r"metadata.labels\[b\] must be text",
    ),
]


@pytest.mark.parametrize(("text", "params", "message"), FAULTS)
async def test_a_fault_names_file_and_line(render: Render, text: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError, match=message) as caught:
        await render(f"{HEAD}data: {text}\n", params)
    assert "object-template" not in caught.value.message


async def test_a_name_for_two_objects_is_refused(render: Render) -> None:
    with pytest.raises(RenderError, match="'job' to more than one object"):
        await render(HEAD, count=2, name="job")


async def test_a_fault_in_a_format_names_the_format(render: Render) -> None:
    with pytest.raises(RenderError, match=r'podNameFormat: function "nope" not defined'):
        await render(HEAD, pod_name="{{ nope }}")
    with pytest.raises(RenderError, match="podCount prints a parameter that is not given"):
        await render(HEAD, pod_count="{{.workers}} + 1")


MISSING = [
    ("{{.a}}", {}, ["a"]),
    ("{{.a}}", {"a": 0}, []),
    ("{{.a}}", {"a": None}, ["a"]),
    ("{{.a.b}}", {"a": {}}, ["a.b"]),
    ("{{.a.b}}", {"a": {"b": ""}}, []),
    ("{{.a}}{{.a}}", {}, ["a"]),
    ("{{ if .a }}{{ .a }}{{ end }}", {}, []),
    ("{{ if .a }}{{ .b }}{{ end }}", {}, []),
    ("{{ if .a }}{{ .b }}{{ end }}", {"a": 1}, ["b"]),
    ("{{ if .a }}{{ .b }}{{ else }}{{ .c }}{{ end }}", {}, ["c"]),
    ("{{ if .a }}x{{ else if .b }}{{ .c }}{{ else }}{{ .d }}{{ end }}", {"b": 1}, ["c"]),
    ("{{ if .a }}x{{ else if .b }}{{ .c }}{{ else }}{{ .d }}{{ end }}", {}, ["d"]),
    ("{{ if not .a }}{{ .b }}{{ end }}", {}, ["b"]),
    ("{{ if and .a .b }}{{ .c }}{{ end }}", {"a": 1}, []),
    ("{{ if or .a .b }}{{ .c }}{{ end }}", {"a": 1}, ["c"]),
    ('{{ if eq .a "x" }}{{ .b }}{{ end }}', {"a": "y"}, []),
    ('{{ or .a "x" }}{{ .a | default "y" }}{{ default "y" .b }}', {}, []),
    ('{{ printf "%s" .a }}', {}, ["a"]),
    ("{{ .a | quote }}", {}, ["a"]),
    ('{{ "{{.x}}" }}{{ `.y` }}{{/* .z */}}', {}, []),
    ("{{ range $k, $v := .m }}{{ $k }}{{ $v.x }}{{ .y }}{{ end }}", {}, []),
    ("{{ range $k, $v := .m }}{{ $k }}{{ .y }}{{ $.z }}{{ end }}", {"m": {"a": 1}}, ["z"]),
    ("{{ range .m }}{{ $.z }}{{ end }}", {"m": []}, []),
    ("{{ with .m }}{{ .x }}{{ $.z }}{{ end }}{{ .q }}", {"m": 1}, ["z", "q"]),
    ("{{ with .m }}{{ .x }}{{ else }}{{ .y }}{{ end }}", {}, ["y"]),
    ('{{ define "part" }}{{ .x }}{{ end }}{{ template "part" .m }}{{ .q }}', {}, ["q"]),
    ("{{ $x := .a }}{{ $x }}", {}, []),
    ("{{- .a -}}{{- if .b -}}{{- end -}}", {}, ["a"]),
    ("{{ ._NAME_ }}{{ $._ENUM_ }}", {}, []),
    ("{{ .größe }}", {}, ["größe"]),
    ("{{ (.a).b }}", {}, ["a"]),
    ("{{ .a }", {}, []),
]


@pytest.mark.parametrize(("text", "params", "wanted"), MISSING)
def test_missing_parameters_are_known_without_rendering(
    template: Callable[[str], ObjectTemplate], text: str, params: dict[str, Any], wanted: list[str]
) -> None:
    assert [name for name, _ in missing_parameters(template(text), params)] == wanted


def test_missing_parameters_come_with_the_line_of_the_file(template: Callable[[str], ObjectTemplate]) -> None:
    loaded = template("a: 1\nb: {{.b}}\n---\nc: {{.b}}\nd:\n- {{.d}}\n")
    assert missing_parameters(loaded, {}) == [("b", 2), ("d", 6)]
