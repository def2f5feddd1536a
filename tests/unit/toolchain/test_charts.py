"""Chart archives, from a repository on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from knavtool.errors import EngineError, UsageError
from knavtool.events import Steps
from knavtool.toolchain.charts import Chart, archive, given_charts
from knavtool.toolchain.fetch import ChecksumMismatch
from knavtool.toolchain.pins import Pins
from knavtool.toolchain.resolve import Toolchain
from support.chart_repository import deployment, packed, write_chart
from support.events import ignore
from support.releases import PLATFORM, Bench, Host, Served

STEPS = Steps(ignore)


class Repository:
    """A repository without a mirror, and a toolchain with a cache of its own."""

    def __init__(self, root: Path) -> None:
        self.host = Host()
        self.bench = Bench(root)
        self.archive = packed(write_chart(root / "chart", deployment("controller")))
        self.host.files["/repo/gadget-1.0.0.tgz"] = Served(self.archive)
        self.entry = {"name": "gadget", "version": "1.0.0", "urls": ["gadget-1.0.0.tgz"]}

    def index(self, **more: object) -> None:
        entries = {"gadget": [{**self.entry, **more}]}
        self.host.files["/repo/index.yaml"] = Served(yaml.safe_dump({"entries": entries}).encode())

    def toolchain(self, **more: object) -> Toolchain:
        return self.bench.toolchain(Pins(platform=PLATFORM, programs={}), **more)

    def chart(self, **more: str) -> Chart:
        return Chart(**{"repository": f"{self.host.url}/repo/", "name": "gadget", "version": "1.0.0", **more})


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path)
    yield made
    made.host.close()


def sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


async def test_an_archive_is_fetched_once(repository: Repository) -> None:
    repository.index(digest=sha256(repository.archive))
    found = await archive(repository.chart(), repository.toolchain(), steps=STEPS)
    assert found.read_bytes() == repository.archive
    asked = len(repository.host.requests)
    assert await archive(repository.chart(), repository.toolchain(), steps=STEPS) == found
    assert await archive(repository.chart(), repository.toolchain(offline=True), steps=STEPS) == found
    assert len(repository.host.requests) == asked


async def test_the_pinned_sum_counts_whatever_the_index_says(repository: Repository) -> None:
    repository.index(digest="0" * 64)
    pinned = repository.chart(digest=sha256(repository.archive))
    assert (await archive(pinned, repository.toolchain(), steps=STEPS)).is_file()
    with pytest.raises(ChecksumMismatch):
        await archive(repository.chart(digest="1" * 64), repository.toolchain(), steps=STEPS)


async def test_an_archive_that_is_not_what_the_index_says_is_refused(repository: Repository) -> None:
    repository.index(digest="0" * 64)
    with pytest.raises(ChecksumMismatch, match=sha256(repository.archive)):
        await archive(repository.chart(), repository.toolchain(), steps=STEPS)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "gives no digest"),
        ({"version": "1.2.0"}, "lists no gadget 1.0.0, but 1.2.0"),
        ({"urls": ["file:///etc/passwd"], "digest": "0" * 64}, "leads to file:"),
        ({"urls": []}, "is no index of charts"),
    ],
)
async def test_an_index_that_does_not_do(repository: Repository, more: dict[str, object], message: str) -> None:
    repository.index(**more)
    with pytest.raises(EngineError, match=message) as caught:
        await archive(repository.chart(), repository.toolchain(), steps=STEPS)
    assert "--chart NAME=PATH" in caught.value.hint


async def test_without_network_or_index_the_reason_is_told(repository: Repository) -> None:
    with pytest.raises(EngineError, match="404"):
        await archive(repository.chart(), repository.toolchain(), steps=STEPS)
    with pytest.raises(EngineError, match="--offline"):
        await archive(repository.chart(), repository.toolchain(offline=True), steps=STEPS)
    with pytest.raises(EngineError, match="neither https:// nor oci://"):
        await archive(repository.chart(repository="ftp://r.example/x"), repository.toolchain(), steps=STEPS)


def test_charts_of_the_user(tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "chart")
    assert given_charts([f"gadget={chart}"]) == {"gadget": chart}
    for text, message in (
        ("gadget", "expected NAME=PATH"),
        (f"gadget={tmp_path}", "holds no Chart.yaml"),
        (f"gadget={tmp_path}/nothing", "does not exist"),
    ):
        with pytest.raises(UsageError, match=message):
            given_charts([text])
