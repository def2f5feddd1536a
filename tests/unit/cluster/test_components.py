"""The catalogue, and the faces of its components."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool import resources
from knavtool.cluster import processes
from knavtool.cluster.components import hosted
from knavtool.cluster.components.manifests import install
from knavtool.cluster.components.records import CATALOGUE, Component, ManifestFace, ProcessFace, component
from knavtool.cluster.layout import ClusterFiles
from knavtool.cluster.toolchain.pins import load_pins
from knavtool.documents.schema import violations
from knavtool.documents.yaml import load
from knavtool.errors import RenderError, UsageError
from knavtool.kube.memory import Memory
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, STAGES
from knavtool.render.components import render_component

RECORDS = sorted(CATALOGUE.glob("*.yaml"))


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_records_fit_the_schema_and_name_what_exists(file: Path) -> None:
    assert violations(load(file), "component") == []
    one = component(file.stem)
    assert one.name == file.stem
    pins = load_pins().programs
    if one.process is not None:
        assert pins[one.process.program].version.lstrip("v") == one.version.lstrip("v")
        for template in one.process.files.values():
            assert resources.override(template).is_file()
    if one.manifest is not None:
        for override in one.manifest.overrides:
            assert resources.override(override).is_file()
        for source in one.manifest.files:
            assert source.sha256
            assert source.url
            assert source.url.startswith("https://")
            assert "{" not in source.url


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_every_place_of_a_process_can_be_filled_in(file: Path, files: ClusterFiles, tmp_path: Path) -> None:
    one = component(file.stem)
    if one.process is None:
        return
    ports = {use: 1000 + number for number, use in enumerate(hosted.port_names(one))}
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    number = hosted.start(files, one, program, ports=ports, environment=os.environ)
    os.waitpid(number, 0)
    args = files.log(one.name).read_text().splitlines()
    assert len(args) == len(one.process.args)
    written = [path.read_text() for path in (files.directory / "components" / one.name).iterdir() if path.is_file()]
    assert len(written) == len(one.process.files)
    for text in (*args, *written, hosted.ready_url(files, one, ports)):
        assert "${" not in text
    for arg in args:
        assert "0.0.0.0" not in arg
    assert stat.S_IMODE((files.directory / "components" / one.name).stat().st_mode) == 0o700


def test_an_unknown_component_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no component 'nothing'") as raised:
        component("nothing")
    assert "kwok" in raised.value.hint


def made(**faces: Any) -> Component:
    return Component(
        name="made",
        title="Made",
        version="v1.0.0",
        manifest=faces.get("manifest"),
        process=faces.get("process"),
    )


def face(**given: Any) -> ProcessFace:
    base = component("prometheus").process
    assert base is not None
    defaults = {"ports": ("http",), "files": {}, "args": (), "environment": {}, "metrics": ""}
    return replace(base, ready="http://127.0.0.1:${port_http}/ready", **{**defaults, **given})


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$OWN" "$GIVEN"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A template below an override directory of the test."""
    monkeypatch.setattr(resources, "override", lambda name: tmp_path / "overrides" / name)
    path = tmp_path / "overrides" / "made" / "config"
    path.parent.mkdir(parents=True)
    path.write_text("listen: ${port_http}\nprice: $$5\ndirectory: ${directory}\n")
    return path


def run(files: ClusterFiles, one: Component, program: Path, environment: Mapping[str, str]) -> list[str]:
    number = hosted.start(files, one, program, ports={"made/http": 7}, environment=environment)
    assert processes.recorded(files) == {"made": number}
    os.waitpid(number, 0)
    return files.log("made").read_text().splitlines()


def test_a_process_gets_its_files_arguments_and_environment(files: ClusterFiles, program: Path, template: Path) -> None:
    one = made(
        process=face(
            files={"config": "made/config"},
            args=(
                "--port=${port_http}",
                "--config=${directory}/config",
                "--kube=${kubeconfig}",
                "${pki} ${targets}",
            ),
            environment={"OWN": "port ${port_http}"},
            metrics="http://127.0.0.1:${port_http}/metrics",
        )
    )
    directory = files.directory / "components" / "made"
    assert run(files, one, program, {"GIVEN": "g", "OWN": "overridden"}) == [
        "--port=7",
        f"--config={directory}/config",
        f"--kube={files.kubeconfig}",
        f"{files.pki} {files.directory}/targets",
        "port 7",
        "g",
    ]
    assert (directory / "config").read_text() == f"listen: 7\nprice: $5\ndirectory: {directory}\n"
    assert hosted.ready_url(files, one, {"made/http": 7}) == "http://127.0.0.1:7/ready"
    assert json.loads((files.directory / "targets" / "made.json").read_text()) == [
        {
            "targets": ["127.0.0.1:7"],
            "labels": {"component": "made", "__scheme__": "http", "__metrics_path__": "/metrics"},
        }
    ]
    hosted.remove(files, "made")
    assert processes.recorded(files) == {}
    assert list((files.directory / "targets").iterdir()) == []
    hosted.remove(files, "made")


@pytest.mark.parametrize("text", ["${port_https}", "$", "${", "${port http}"])
def test_places_that_cannot_be_filled_in(files: ClusterFiles, program: Path, template: Path, text: str) -> None:
    template.write_text(text)
    with pytest.raises(RenderError, match="config"):
        run(files, made(process=face(files={"config": "made/config"})), program, {})
    with pytest.raises(RenderError, match="made"):
        run(files, made(process=face(args=(text,))), program, {})
    assert processes.recorded(files) == {}


def test_targets_are_replaced_whole(files: ClusterFiles) -> None:
    hosted.write_targets(files, {"a": "https://127.0.0.1:1/metrics", "b": "http://127.0.0.1:2/m"})
    hosted.write_targets(files, {"a": "https://127.0.0.1:3/metrics"})
    written = {path.name: json.loads(path.read_text()) for path in (files.directory / "targets").iterdir()}
    assert {name: entry["targets"] for name, (entry,) in written.items()} == {
        "a.json": ["127.0.0.1:3"],
        "b.json": ["127.0.0.1:2"],
    }


def stage(name: str, text: str = "", **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name, **metadata},
        "spec": {"text": text},
    }


def write(path: Path, *objects: Any) -> Path:
    path.write_text(yaml.safe_dump_all(objects))
    return path


def test_an_override_takes_the_place_of_its_namesake_and_adds_others(tmp_path: Path) -> None:
    first = write(tmp_path / "a", stage("one", "theirs"), None, stage("two", "theirs"))
    second = write(tmp_path / "b", stage("two", "elsewhere", namespace="other"))
    override = write(tmp_path / "o", stage("two", "ours"), stage("three", "ours"))
    rendered = render_component([first, second], overrides=[override])
    assert [(one["metadata"].get("namespace"), one["metadata"]["name"], one["spec"]["text"]) for one in rendered] == [
        (None, "one", "theirs"),
        (None, "two", "ours"),
        ("other", "two", "elsewhere"),
        (None, "three", "ours"),
    ]


def test_what_others_need_comes_first(tmp_path: Path) -> None:
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}}
    rendered = render_component([write(tmp_path / "a", stage("one"), crd)])
    assert [one["kind"] for one in rendered] == ["CustomResourceDefinition", "Stage"]


@pytest.mark.parametrize(
    "text", ["a text", "[1]", "kind: Stage", "{", "apiVersion: v1\nkind: A\n", "\x00", "a: !!python/name:os.system ''"]
)
def test_a_file_that_holds_no_objects_is_named(tmp_path: Path, text: str) -> None:
    good = write(tmp_path / "good", stage("one"))
    (tmp_path / "bad").write_text(text)
    with pytest.raises(RenderError, match=str(tmp_path / "bad")):
        render_component([good, tmp_path / "bad"])
    with pytest.raises(RenderError, match=str(tmp_path / "nothing")):
        render_component([good], overrides=[tmp_path / "nothing"])


@pytest.fixture
async def served() -> Memory:
    """A cluster in memory that serves stages."""
    memory = Memory([STAGES])
    name = f"{STAGES.plural}.{STAGES.group}"
    definition = {
        "metadata": {"name": name},
        "spec": {
            "group": STAGES.group,
            "names": {"kind": STAGES.kind},
            "versions": [{"name": STAGES.version, "served": True}],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
    return memory


KWOK = made(manifest=ManifestFace(module="m", files=(), overrides=(), after=(f"{STAGES.plural}.{STAGES.group}",)))


async def test_installing_creates_what_is_missing_and_changes_nothing(served: Memory, tmp_path: Path) -> None:
    wanted = render_component([write(tmp_path / "a", stage("one", "new"), stage("two", "new"))])
    await served.create(STAGES, stage("one", "changed on purpose"))
    async with asyncio.timeout(20):
        assert await install(served, KWOK, wanted) == 1
        assert await install(served, KWOK, wanted) == 0
    texts = {one["metadata"]["name"]: one["spec"]["text"] for one in await served.list(STAGES)}
    assert texts == {"one": "changed on purpose", "two": "new"}
