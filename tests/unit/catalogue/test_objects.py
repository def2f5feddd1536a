"""The objects of a component: from its project, parsed once, with images and overrides."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.catalogue import objects
from knavtool.catalogue.objects import project_objects, with_overrides
from knavtool.catalogue.records import Component, Objects, Release, Source, SourceFile
from knavtool.errors import BinaryMissing, RenderError
from knavtool.events import Steps
from knavtool.render.manifests import ManifestSet
from knavtool.toolchain.pins import GoModule
from knavtool.toolchain.sources import Asset, Sources
from knavtool.toolchain.store import Store
from support.events import ignore

SOURCE = Source(module="m", sum="h1:x", url="https://h/v1.0.0/{path}")
MODULE = GoModule(path="m", version="v1.0.0", sum="h1:x")


class Given:
    """A toolchain that has the files of `directory` by the last part of their path, and tells what it was asked for."""

    def __init__(self, directory: Path) -> None:
        self.store = Store(directory / "cache")
        self.asked: list[Sources] = []
        self._directory = directory

    async def manifests(self, sources: Sources, *, steps: Steps) -> Sequence[Path]:  # noqa: ARG002
        self.asked.append(sources)
        found = [self._directory / Path(name).name for name in sources.wanted or (sources.asset.url,)]
        for file in found:
            if not file.exists():
                raise BinaryMissing(sources.title, [("go module", "no such file")])
        return found


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def made(source: Source | None = SOURCE) -> Component:
    return Component(name="made", title="", description="", version="v1.0.0", source=source)


def write(path: Path, *names: str) -> Path:
    containers = [{"image": "h/a:latest"}]
    path.write_text(
        yaml.safe_dump_all(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {"template": {"spec": {"containers": containers}}},
            }
            for name in names
        )
    )
    return path


def names(manifests: ManifestSet) -> list[str]:
    return [one["metadata"]["name"] for one in manifests]


async def fetched(given: Given, wanted: Objects, one: Component | None = None) -> ManifestSet:
    return await project_objects(one or made(), wanted, given, steps=Steps(ignore))  # type: ignore[arg-type]


async def test_a_release_and_a_kustomization_are_the_same_objects(given: Given, tmp_path: Path) -> None:
    write(tmp_path / "default", "one")
    release = Release(url="https://h/m.yaml", sha256="a" * 64)
    wanted = Objects(release=release, kustomization="config/default", files=(SourceFile(path="not-looked-at"),))
    assert names(await fetched(given, wanted)) == ["one"]
    asset = Asset(url="https://h/m.yaml", sha256="a" * 64)
    assert given.asked == [Sources(asset=asset, module=MODULE, kustomization="config/default")]


async def test_files_are_joined_and_have_a_url_only_with_a_sum(given: Given, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "one", "two")
    write(tmp_path / "b.yaml", "three")
    files = (SourceFile(path="x/a.yaml", sha256="a" * 64), SourceFile(path="x/b.yaml"))
    assert names(await fetched(given, Objects(files=files))) == ["one", "two", "three"]
    assert given.asked == [
        Sources(asset=Asset(url="https://h/v1.0.0/x/a.yaml", sha256="a" * 64), module=MODULE, paths=("x/a.yaml",)),
        Sources(asset=None, module=MODULE, paths=("x/b.yaml",)),
    ]


async def test_a_release_needs_no_module(given: Given, tmp_path: Path) -> None:
    write(tmp_path / "m.yaml", "one")
    wanted = Objects(release=Release(url="https://h/m.yaml", checksums="https://h/sums"))
    assert names(await fetched(given, wanted, made(source=None))) == ["one"]
    assert given.asked == [Sources(asset=Asset(url="https://h/m.yaml", checksums="https://h/sums"))]
    assert len(await fetched(given, Objects(), made(source=None))) == 0


async def test_images_are_those_of_the_record(given: Given, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "one")
    wanted = Objects(files=(SourceFile(path="a.yaml"),), images={"h/a": "r/a:v1.0.0"})
    (one,) = await fetched(given, wanted)
    assert one["spec"]["template"]["spec"]["containers"] == [{"image": "r/a:v1.0.0"}]


async def test_files_are_parsed_once(given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    parse = objects.render_component
    monkeypatch.setattr(objects, "render_component", lambda files: parsed.append(files) or parse(files))
    file = write(tmp_path / "a.yaml", "one")
    wanted = Objects(files=(SourceFile(path="a.yaml"),))
    first = await fetched(given, wanted)
    assert await fetched(given, wanted) == first
    assert len(parsed) == 1
    # Another content is another entry, whatever the file's name and time are.
    write(file, "other")
    assert names(await fetched(given, wanted)) == ["other"]
    assert len(parsed) == 2
    for kept in (given.store.root / "parsed").iterdir():
        kept.write_text("[")
    assert names(await fetched(given, wanted)) == ["other"]


async def test_tasks_that_parse_the_same_files_at_once_do_not_meet(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse, both = objects.render_component, threading.Barrier(2)

    def parse_together(files: Sequence[Path]) -> ManifestSet:
        found = parse(files)
        both.wait()
        return found

    monkeypatch.setattr(objects, "render_component", parse_together)
    write(tmp_path / "a.yaml", "one")
    wanted = Objects(files=(SourceFile(path="a.yaml"),))
    for _ in range(20):
        found = await asyncio.gather(fetched(given, wanted), fetched(given, wanted))
        assert [names(one) for one in found] == [["one"], ["one"]]
        (kept,) = (given.store.root / "parsed").iterdir()
        kept.unlink()


async def test_nothing_is_kept_of_a_component_without_files(given: Given) -> None:
    assert len(await fetched(given, Objects(), made(source=None))) == 0
    assert not (given.store.root / "parsed").exists()


async def test_a_file_that_cannot_be_had_or_read_is_one_error(given: Given, tmp_path: Path) -> None:
    with pytest.raises(BinaryMissing, match="no such file"):
        await fetched(given, Objects(files=(SourceFile(path="a.yaml"), SourceFile(path="b.yaml"))))
    (tmp_path / "a.yaml").write_text("{")
    with pytest.raises(RenderError, match=r"a\.yaml"):
        await fetched(given, Objects(files=(SourceFile(path="a.yaml"),)))
    assert not list(given.store.root.glob("parsed/*"))


def test_overrides_are_files_that_ship_with_knavtool() -> None:
    assert names(with_overrides(ManifestSet(), ("kwok/pod-complete.yaml",))) == ["pod-complete"]
    with pytest.raises(RenderError, match=r"kueue/secret\.yaml"):
        with_overrides(ManifestSet(), ("kueue/secret.yaml",), {})
