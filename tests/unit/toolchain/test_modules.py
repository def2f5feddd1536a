"""Programs and manifests from published Go modules, with the real go command and a module proxy in a directory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from knavtool.errors import BinaryMissing
from knavtool.events import StepProgressed
from knavtool.toolchain.fetch import ChecksumMismatch
from knavtool.toolchain.pins import GoModule, read_programs
from knavtool.toolchain.resolve import Toolchain
from knavtool.toolchain.sources import Sources
from support.modules import go_sum, publish
from support.releases import PLATFORM, Bench, Host, tool

MAIN = """package main

import "fmt"

var version = "unknown"

func main() { fmt.Println("runner version", version) }
"""
FILES = {
    "go.mod": "module example.org/runner\n\ngo 1.22\n",
    "cmd/runner/main.go": MAIN,
    "cmd/broken/main.go": MAIN.replace("version)", "vresion)"),
    "config/crd/b.yaml": "kind: B\n",
    "config/crd/a.yaml": "kind: A\n",
}


class Site:
    """A machine with go, and a module proxy that has example.org/runner."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.proxy = bench.root / "proxy"
        self.sum = publish(self.proxy, "example.org/runner", "v1.2.3", FILES)
        go = shutil.which("go")
        assert go is not None
        bench.bin.mkdir()
        (bench.bin / "go").symlink_to(go)
        compiled = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        self.environment = {
            **bench.environment(),
            "GOCACHE": compiled,  # otherwise the standard library would be compiled for each test
            "GOMODCACHE": str(bench.root / "modules"),
            "GOPROXY": self.proxy.as_uri(),
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
        }

    def record(self, **more: object) -> Mapping[str, object]:
        build = {
            "module": "example.org/runner",
            "sum": self.sum,
            "package": "./cmd/runner",
            "ldflags": "-X main.version={version}",
        }
        return {"check": {"args": [], "pattern": r"runner version (\S+)"}, "build": {**build, **more}}

    def toolchain(self, record: Mapping[str, object], *, version: str = "v1.2.3", **more: object) -> Toolchain:
        tried = ["v1.2.3", "v2.0.0"]
        programs = read_programs({"runner": record}, version=version, tried=tried, host=PLATFORM)
        settings = {"environment": self.environment, "programs": programs, **more}
        return self.bench.toolchain(tool(), **settings)

    @property
    def module(self) -> GoModule:
        return GoModule(path="example.org/runner", version="v1.2.3", sum=self.sum)

    @property
    def installed(self) -> list[Path]:
        return list(self.bench.cache.glob("toolchain/runner/*/*/*/runner"))


def says(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def site(bench: Bench) -> Site:
    return Site(bench)


async def test_program_is_built_inside_its_module(site: Site) -> None:
    found = await site.toolchain(site.record()).ensure(["runner"], steps=site.bench.steps)
    assert found["runner"].parents[1] == site.bench.cache / "toolchain/runner/v1.2.3/linux-amd64"
    assert any(
        isinstance(event, StepProgressed) and "example.org/runner" in event.detail for event in site.bench.events
    )
    assert {path.name for path in found["runner"].parent.iterdir()} == {"runner", ".runner.lock"}


async def test_wrong_sum_is_refused(site: Site) -> None:
    record = site.record(sum="h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    with pytest.raises(ChecksumMismatch) as raised:
        await site.toolchain(record).ensure(["runner"], steps=site.bench.steps)
    assert f"  expected h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n  received {site.sum}" in raised.value.message
    assert site.installed == []


async def test_other_version_has_no_pinned_sum(site: Site) -> None:
    publish(site.proxy, "example.org/runner", "v1.3.0", FILES)
    found = await site.toolchain(site.record(sum=None), version="v1.3.0").ensure(["runner"], steps=site.bench.steps)
    assert "v1.3.0" in found["runner"].parts


async def test_a_checkout_is_built_where_it_is_and_each_time(site: Site, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name, text in FILES.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    record = site.record(checkout=str(checkout), package="./cmd/runner")
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    first = (await site.toolchain(record).ensure(["runner"], steps=site.bench.steps))["runner"]
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert says(first) == "runner version v1.2.3\n"
    source = checkout / "cmd/runner/main.go"
    source.write_text(source.read_text().replace("runner version", "other runner version"))
    again = (await site.toolchain(record).ensure(["runner"], steps=site.bench.steps))["runner"]
    assert again == first
    assert says(again) == "other runner version v1.2.3\n"
    source.write_text("package main\nfunc main() { nothing() }\n")
    with pytest.raises(BinaryMissing, match="undefined: nothing"):
        await site.toolchain(record).ensure(["runner"], steps=site.bench.steps)
    # A program of the module is another one.
    assert (await site.toolchain(site.record()).ensure(["runner"], steps=site.bench.steps))["runner"] != first


async def test_checksum_database_is_asked_and_must_answer(site: Site, host: Host) -> None:
    site.environment["GOSUMDB"] = f"sum.golang.org {host.url}"
    with pytest.raises(BinaryMissing) as raised:
        await site.toolchain(site.record()).ensure(["runner"], steps=site.bench.steps)
    assert "verifying" in dict(raised.value.attempts)["build"]
    assert "/lookup/example.org/runner@v1.2.3" in [path for path, _ in host.requests]
    assert site.installed == []


@pytest.mark.parametrize(
    ("package", "said"), [("./cmd/none", "directory not found"), ("./cmd/broken", "undefined: vresion")]
)
async def test_package_that_cannot_be_built(site: Site, package: str, said: str) -> None:
    with pytest.raises(BinaryMissing) as raised:
        await site.toolchain(site.record(package=package)).ensure(["runner"], steps=site.bench.steps)
    assert said in dict(raised.value.attempts)["build"]
    assert site.installed == []


async def test_text_of_the_sources_can_be_replaced(site: Site) -> None:
    unchanged = await site.toolchain(site.record()).ensure(["runner"], steps=site.bench.steps)
    for said in ("one", "two"):
        changed = {"file": "cmd/runner/main.go", "old": "version)", "new": f'version, "changed: {said}")'}
        record = site.record(replace=[changed])
        found = await site.toolchain(record).ensure(["runner"], steps=site.bench.steps)
        # What was built before with other changes, or none, is not taken for it.
        assert found != unchanged
        assert f"changed: {said}".encode() in found["runner"].read_bytes()
    assert len(site.installed) == 3
    assert not list(site.bench.cache.rglob(".runner.build"))


async def test_text_of_a_module_that_is_needed_can_be_replaced(site: Site) -> None:
    words = {"go.mod": "module example.org/words\n\ngo 1.22\n", "words.go": 'package words\n\nconst Said = "theirs"\n'}
    total = publish(site.proxy, "example.org/words", "v0.1.0", words)
    main = MAIN.replace('import "fmt"', 'import (\n\t"example.org/words"\n\t"fmt"\n)').replace(
        "version)", "version, words.Said)"
    )
    files = {
        "go.mod": "module example.org/runner\n\ngo 1.22\n\nrequire example.org/words v0.1.0\n",
        "go.sum": go_sum("example.org/words", "v0.1.0", total, words),
        "cmd/runner/main.go": main,
    }
    site.sum = publish(site.proxy, "example.org/runner", "v1.2.3", files)
    changed = {"module": "example.org/words", "file": "words.go", "old": "theirs", "new": "ours, of a module"}
    (plain,) = (await site.toolchain(site.record()).ensure(["runner"], steps=site.bench.steps)).values()
    (found,) = (
        await site.toolchain(site.record(replace=[changed])).ensure(["runner"], steps=site.bench.steps)
    ).values()
    assert b"ours, of a module" not in plain.read_bytes()
    assert b"ours, of a module" in found.read_bytes()
    missing = {**changed, "module": "example.org/none"}
    with pytest.raises(BinaryMissing, match=r"example\.org/none"):
        await site.toolchain(site.record(replace=[missing])).ensure(["runner"], steps=site.bench.steps)


@pytest.mark.parametrize("file", ["cmd/runner/main.go", "cmd/none/main.go"])
async def test_text_that_is_not_there_cannot_be_replaced(site: Site, file: str) -> None:
    record = site.record(replace=[{"file": file, "old": "func mian()", "new": ""}])
    with pytest.raises(BinaryMissing, match=rf"{file} has no 'func mian\(\)' that could be replaced"):
        await site.toolchain(record).ensure(["runner"], steps=site.bench.steps)


async def test_version_that_does_not_exist(site: Site) -> None:
    toolchain = site.toolchain(site.record(), version="v2.9.9")
    with pytest.raises(BinaryMissing, match=r"go mod download example.org/runner@v2.9.9 failed") as raised:
        await toolchain.ensure(["runner"], steps=site.bench.steps)
    assert raised.value.hint == "runner is known to work at v1.2.3, v2.0.0; v2.0.0 is the nearest"


async def test_offline_only_what_is_here_is_built(site: Site) -> None:
    with pytest.raises(BinaryMissing, match="module lookup disabled by GOPROXY=off"):
        await site.toolchain(site.record(), offline=True).ensure(["runner"], steps=site.bench.steps)
    await site.toolchain(site.record()).manifests(
        Sources(module=site.module, paths=("config/crd",)), steps=site.bench.steps
    )
    assert await site.toolchain(site.record(), offline=True).ensure(["runner"], steps=site.bench.steps)


async def test_manifests_of_a_module_need_it_once(site: Site) -> None:
    sources = Sources(module=site.module, paths=("config/crd",))
    first = await site.toolchain(site.record()).manifests(sources, steps=site.bench.steps)
    assert [path.read_text() for path in first] == ["kind: A\n", "kind: B\n"]
    (site.bench.bin / "go").unlink()
    assert await site.toolchain(site.record()).manifests(sources, steps=site.bench.steps) == first
