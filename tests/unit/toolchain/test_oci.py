"""Charts in a registry on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import EngineError, UsageError
from knavtool.events import Steps
from knavtool.toolchain.charts import Chart, archive, given_charts
from knavtool.toolchain.fetch import ChecksumMismatch
from knavtool.toolchain.pins import Pins
from knavtool.toolchain.resolve import Toolchain
from support.chart_repository import deployment, packed, write_chart
from support.events import ignore
from support.programs import program
from support.registry import ARCHIVE, MANIFEST, Registry, digest_of
from support.releases import PLATFORM, Bench

STEPS = Steps(ignore)
IMAGE = {"config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"{}"), "size": 2}}


class Place:
    """A registry, an archive, and a toolchain with a cache of its own."""

    def __init__(self, root: Path) -> None:
        self.registry = Registry()
        self.root = root
        self.directory = write_chart(root / "chart", deployment("controller"))
        self.archive = packed(self.directory)

    def toolchain(self, **more: Any) -> Toolchain:
        return Bench(self.root).toolchain(Pins(platform=PLATFORM, programs={}), **more)

    def chart(self, **more: Any) -> Chart:
        wanted = {"repository": f"oci://{self.registry.host}/charts/", "name": "gadget", "version": "1.0.0"}
        return Chart(**{**wanted, **more})

    def push_with_helm(self) -> Path:
        target = f"oci://{self.registry.host}/charts"
        for command in (
            ("package", self.directory, "--destination", self.root),
            ("push", self.root / "gadget-1.0.0.tgz", target, "--plain-http"),
        ):
            subprocess.run([program("helm"), *command], check=True, capture_output=True)
        return self.root / "gadget-1.0.0.tgz"

    async def get(self, *, toolchain: Toolchain | None = None, **more: Any) -> bytes:
        found = await archive(self.chart(**more), toolchain or self.toolchain(), steps=STEPS)
        return found.read_bytes()

    async def refused(self, **more: Any) -> str:
        with pytest.raises(EngineError) as caught:
            await archive(self.chart(**more), self.toolchain(), steps=STEPS)
        assert not list(self.root.glob("cache/charts/**/*.tgz"))
        return caught.value.message.partition(": ")[2] or caught.value.message


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.registry.close()


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_chart_is_fetched_once(place: Place, *, login: bool, elsewhere: bool) -> None:
    place.registry.push("charts/gadget", "1.0.0", place.archive)
    place.registry.login, place.registry.elsewhere = login, elsewhere
    assert await place.get() == place.archive
    asked = len(place.registry.requests)
    assert await place.get(toolchain=place.toolchain(offline=True)) == place.archive
    assert len(place.registry.requests) == asked
    assert len(place.registry.asked("/token")) == login


async def test_what_helm_pushes_is_read(place: Place) -> None:
    file = place.push_with_helm()
    assert await place.get() == file.read_bytes()


@pytest.mark.parametrize(("tag", "version"), [("1.0.0", "v1.0.0"), ("v1.0.0", "1.0.0"), ("1.0.0_gke.1", "1.0.0+gke.1")])
async def test_a_tag_may_be_spelled_otherwise(place: Place, tag: str, version: str) -> None:
    place.registry.push("charts/gadget", tag, place.archive)
    assert await place.get(version=version) == place.archive


async def test_a_download_goes_on_where_it_was_cut(place: Place) -> None:
    place.registry.push("charts/gadget", "1.0.0", place.archive)
    place.registry.cut = [100]
    assert await place.get() == place.archive
    assert place.registry.ranges == ["", "bytes=100-"]


async def test_a_pinned_digest_counts(place: Place) -> None:
    manifest = place.registry.push("charts/gadget", "1.0.0", place.archive).removeprefix("sha256:")
    sum_ = digest_of(place.archive).removeprefix("sha256:")
    assert await place.get(digest=sum_, manifest=manifest) == place.archive
    with pytest.raises(ChecksumMismatch, match=rf"expected sha256 {'1' * 64}\s+received sha256 {sum_}"):
        await place.get(digest="1" * 64)


async def test_a_manifest_or_blob_that_is_another_one_is_refused(place: Place) -> None:
    manifest = place.registry.push("charts/gadget", "1.0.0", place.archive)
    place.registry.manifests["charts/gadget"][manifest] = (MANIFEST, b"{}")
    with pytest.raises(ChecksumMismatch, match="gadget@sha256:"):
        await place.get(manifest=manifest.removeprefix("sha256:"))
    place.registry.blobs[digest_of(place.archive)] = b"another"
    with pytest.raises(ChecksumMismatch, match="blobs/sha256:"):
        await place.get()


async def test_a_version_that_is_not_there(place: Place) -> None:
    message = await place.refused()
    assert message == f"there is no oci://{place.registry.host}/charts/gadget"
    for tag in ("1.0.1", "1.1.0", "0.3.0", "latest"):
        place.registry.push("charts/gadget", tag, place.archive)
    message = await place.refused()
    assert message.startswith(f"oci://{place.registry.host}/charts/gadget has no 1.0.0, but 1.")
    assert "1.0.1" in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (IMAGE, "is no chart: its config is application/vnd.oci.image.config.v1+json"),
        ({"layers": []}, f"has 0 layers of {ARCHIVE}, expected one"),
        ({"layers": [{"mediaType": ARCHIVE, "digest": "md5:1"}]}, "expected one with its sha256"),
        ({"layers": None}, "is not a manifest"),
        ({"manifests": [], "mediaType": "application/vnd.oci.image.index.v1+json"}, "is no chart but an index"),
    ],
)
async def test_what_is_no_chart(place: Place, changes: dict[str, Any], message: str) -> None:
    place.registry.push("charts/gadget", "1.0.0", place.archive, **changes)
    assert message in await place.refused()


async def test_a_registry_that_wants_a_password(place: Place) -> None:
    place.registry.push("charts/gadget", "1.0.0", place.archive)
    place.registry.basic = True
    assert (await place.refused()).endswith("401 Unauthorized; only charts that anybody may read are downloaded")


async def test_a_mirror_stands_for_a_registry(place: Place, tmp_path: Path) -> None:
    """As a directory, which is how the files can be carried to where there is no network."""
    manifest = place.registry.push("stable/gadget", "1.0.0", place.archive)
    base = tmp_path / "mirror" / "charts.example" / "v2" / "stable" / "gadget"
    files = {"manifests/1.0.0": place.registry.manifests["stable/gadget"][manifest][1]}
    files[f"blobs/{digest_of(place.archive)}"] = place.archive
    for path, data in files.items():
        (base / path).parent.mkdir(parents=True)
        (base / path).write_bytes(data)
    toolchain = place.toolchain(mirror=str(tmp_path / "mirror"))
    assert await place.get(repository="oci://charts.example/stable", toolchain=toolchain) == place.archive


async def test_a_registry_that_is_not_there(place: Place) -> None:
    host = place.registry.host
    place.registry.close()
    assert f"cannot reach {host}" in await place.refused()
    # The fixture closes it too.
    place.registry = Registry()


def test_charts_in_registries_by_option() -> None:
    found = given_charts([f"gadget=oci://r.example:5000/a/b/gadget:v1.0.0_x@sha256:{'a' * 64}", "x=oci://h/x:1.0.0"])
    assert found == {
        "gadget": Chart(repository="oci://r.example:5000/a/b", name="gadget", version="v1.0.0+x", manifest="a" * 64),
        "x": Chart(repository="oci://h", name="x", version="1.0.0"),
    }
    for wrong in (
        "oci://r.example/gadget",
        "oci://gadget:1.0.0",
        "oci://r.example/Gadget:1.0.0",
        "oci://r/x:1@sha256:1",
    ):
        with pytest.raises(UsageError, match=r"expected oci://HOST/PATH:VERSION"):
            given_charts([f"gadget={wrong}"])
