"""Manifests of upstream projects."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from knavtool.errors import BinaryMissing, EngineError
from knavtool.toolchain.fetch import ChecksumMismatch
from knavtool.toolchain.pins import GoModule, Program
from knavtool.toolchain.resolve import Toolchain
from knavtool.toolchain.sources import Asset, Sources
from support.releases import PLATFORM, Bench, Host, Served, put, tool

MODULE = GoModule(path="example.org/stages", version="v0.1.0", sum="h1:right=")
FILE = Sources(module=MODULE, paths=("stages/pod.yaml",))
DIRECTORY = Sources(module=MODULE, paths=("stages",))
KUSTOMIZATION = Sources(module=MODULE, kustomization="config")
URL = "https://releases.example/v1/pod.yaml"
TEXT = b"kind: Stage\n"
KUBECTL = Program(name="kubectl", version="v1", platform=PLATFORM)


@pytest.fixture
def module(bench: Bench) -> Path:
    """The sources of the module, which the go command gives."""
    root = bench.root / "module"
    for path in ("stages/pod.yaml", "stages/node.yaml", "stages/README.md", "stages/kustomization.yaml"):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(TEXT)
    (root / "config").mkdir()
    bench.add_go(f'echo "$@" >> "$GO_CALLS"; echo \'{{"Dir": "{root}", "Sum": "h1:right="}}\'')
    return root


def _with_kubectl(bench: Bench, body: str, **more: object) -> Toolchain:
    kubectl = put(bench.root, "kubectl", body)
    return bench.toolchain(tool(), programs={"kubectl": KUBECTL}, explicit={"kubectl": kubectl}, **more)


def _forget_sources(bench: Bench) -> None:
    """From now on there is no go, and nothing it gave."""
    (bench.bin / "go").unlink()
    (bench.root / "module").rename(bench.root / "moved away")


async def test_asset_with_a_sum_is_downloaded_once(bench: Bench, host: Host) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(TEXT)
    asset = Asset(url=URL, sha256=hashlib.sha256(TEXT).hexdigest())
    for _ in range(2):
        found = await bench.toolchain(tool(), mirror=host.url).manifests(Sources(asset=asset), steps=bench.steps)
        assert found == (bench.cache / "assets/releases.example/v1/pod.yaml",)
        assert found[0].read_bytes() == TEXT
    assert len(host.requests) == 1


async def test_asset_is_verified_by_the_list_of_its_publisher(bench: Bench, host: Host) -> None:
    digest = hashlib.sha256(TEXT).hexdigest()
    listed = f'{{"assets": [{{"name": "pod.yaml", "digest": "sha256:{digest}"}}]}}'
    host.files["/releases.example/v1/pod.yaml"] = Served(TEXT)
    host.files["/api.example/v1"] = Served(listed.encode())
    asset = Asset(url=URL, checksums="https://api.example/v1")
    toolchain = bench.toolchain(tool(), mirror=host.url)
    assert (await toolchain.manifests(Sources(asset=asset), steps=bench.steps))[0].read_bytes() == TEXT
    host.files["/releases.example/v1/pod.yaml"] = Served(b"kind: Other\n")
    other = replace(asset, sha256=hashlib.sha256(b"kind: Other\n").hexdigest())
    found = await toolchain.manifests(Sources(asset=other), steps=bench.steps)
    assert found[0].read_bytes() == b"kind: Other\n", "what is kept is not what is pinned now"


async def test_changed_asset_is_an_error_and_nothing_else_is_tried(bench: Bench, host: Host, module: Path) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(b"changed")
    sources = replace(FILE, asset=Asset(url=URL, sha256=hashlib.sha256(TEXT).hexdigest()))
    with pytest.raises(ChecksumMismatch):
        await bench.toolchain(tool(), mirror=host.url).manifests(sources, steps=bench.steps)
    assert bench.go_calls == []


async def test_without_a_sum_the_module_is_read_and_then_the_cache(bench: Bench, host: Host, module: Path) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(b"not verified")
    toolchain = bench.toolchain(tool(), mirror=host.url)
    for _ in range(2):
        found = await toolchain.manifests(replace(FILE, asset=Asset(url=URL)), steps=bench.steps)
        assert found == (bench.cache / "sources/example.org/stages@v0.1.0/stages/pod.yaml",)
        assert found[0].read_bytes() == TEXT
    assert host.requests == []
    assert bench.go_calls == ["mod download -json example.org/stages@v0.1.0"]


async def test_directory_gives_its_manifests_in_order(bench: Bench, module: Path) -> None:
    toolchain = bench.toolchain(tool())
    # One of its files was asked for before, and does not stand for the whole.
    await toolchain.manifests(FILE, steps=bench.steps)
    first = await toolchain.manifests(DIRECTORY, steps=bench.steps)
    assert [path.name for path in first] == ["node.yaml", "pod.yaml"]
    assert {path.read_bytes() for path in first} == {TEXT}
    _forget_sources(bench)
    assert await toolchain.manifests(DIRECTORY, steps=bench.steps) == first
    first[0].unlink()
    with pytest.raises(BinaryMissing, match="no go command"):
        await toolchain.manifests(DIRECTORY, steps=bench.steps)


async def test_kustomization_is_worked_out_once(bench: Bench, module: Path) -> None:
    toolchain = _with_kubectl(bench, f'echo "$@" >> {bench.root}/calls; echo "kind: List"')
    sources = replace(KUSTOMIZATION, paths=("stages/pod.yaml",))
    first = await toolchain.manifests(sources, steps=bench.steps)
    assert [path.read_text() for path in first] == ["kind: List\n", "kind: Stage\n"]
    _forget_sources(bench)
    assert await toolchain.manifests(sources, steps=bench.steps) == first
    assert (bench.root / "calls").read_text() == f"kustomize {module / 'config'}\n"


async def test_failed_kustomization_leaves_nothing(bench: Bench, module: Path) -> None:
    toolchain = _with_kubectl(bench, 'echo "kind: Half"; echo "no such base: ../x" >&2; exit 1')
    for _ in range(2):
        with pytest.raises(BinaryMissing, match=r"go module: kubectl kustomize failed .*no such base: \.\./x"):
            await toolchain.manifests(KUSTOMIZATION, steps=bench.steps)
    assert not list(bench.cache.rglob("*.yaml"))


async def test_kustomization_without_kubectl(bench: Bench, module: Path) -> None:
    toolchain = bench.toolchain(tool(), programs={"kubectl": KUBECTL})
    with pytest.raises(BinaryMissing, match=r"kubectl is needed for .*config, and there is none"):
        await toolchain.manifests(KUSTOMIZATION, steps=bench.steps)


async def test_kustomize_has_no_network(bench: Bench, module: Path) -> None:
    toolchain = _with_kubectl(bench, 'echo "$GIT_ALLOW_PROTOCOL $HTTPS_PROXY $NO_PROXY"')
    (found,) = await toolchain.manifests(KUSTOMIZATION, steps=bench.steps)
    assert found.read_text().split() == ["none", "http://127.0.0.1:1"]


async def test_directory_of_the_user_wins_and_is_read_anew(bench: Bench, host: Host, module: Path) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(TEXT)
    asset = Asset(url=URL, sha256=hashlib.sha256(TEXT).hexdigest())
    toolchain = _with_kubectl(bench, 'while read -r line; do echo "$line"; done < "$2/base"', mirror=host.url)
    sources = Sources(asset=asset, module=MODULE, kustomization="config", paths=("stages",), directory=module)
    for text in ("one\n", "two\n"):
        (module / "config/base").write_text(text)
        kustomized, *files = await toolchain.manifests(sources, steps=bench.steps)
        assert kustomized.read_text() == text
        assert files == [module / "stages/node.yaml", module / "stages/pod.yaml"]
    assert host.requests == []
    assert bench.go_calls == []


async def test_directory_of_the_user_must_hold_what_is_needed(bench: Bench, module: Path) -> None:
    sources = Sources(module=MODULE, paths=("missing",), directory=module)
    with pytest.raises(BinaryMissing, match=f"no usable missing of {module}; tried\n  directory: .*/missing does not"):
        await bench.toolchain(tool()).manifests(sources, steps=bench.steps)


@pytest.mark.parametrize(
    ("path", "said"), [("nowhere", "nowhere does not exist"), ("config", "config holds no YAML files")]
)
async def test_module_without_the_files(bench: Bench, module: Path, path: str, said: str) -> None:
    with pytest.raises(BinaryMissing, match=said):
        await bench.toolchain(tool()).manifests(replace(FILE, paths=(path,)), steps=bench.steps)


async def test_error_names_each_source(bench: Bench, host: Host) -> None:
    sources = replace(FILE, asset=Asset(url=URL, sha256="0" * 64))
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(tool(), mirror=host.url).manifests(sources, steps=bench.steps)
    assert raised.value.message.startswith("no usable stages/pod.yaml of example.org/stages@v0.1.0; tried")
    assert [source for source, _ in raised.value.attempts] == ["release", "go module"]
    reasons = dict(raised.value.attempts)
    assert "answered 404" in reasons["release"]
    assert "no go command" in reasons["go module"]


async def test_offline_nothing_is_downloaded(bench: Bench, host: Host, module: Path) -> None:
    sources = replace(FILE, asset=Asset(url=URL, sha256=hashlib.sha256(TEXT).hexdigest()))
    toolchain = bench.toolchain(tool(), mirror=host.url, offline=True)
    assert (await toolchain.manifests(sources, steps=bench.steps))[0].read_bytes() == TEXT
    assert host.requests == []


async def test_go_tells_why_a_module_cannot_be_had(bench: Bench) -> None:
    bench.add_go("""echo '{"Error": "module lookup disabled"}'; exit 1""")
    with pytest.raises(BinaryMissing, match="module lookup disabled"):
        await bench.toolchain(tool()).module_directory(MODULE)


async def test_changed_sources_are_refused(bench: Bench, module: Path) -> None:
    with pytest.raises(ChecksumMismatch, match=r"example.org/stages@v0.1.0 .*\n  expected h1:other=\n  received h1:ri"):
        await bench.toolchain(tool()).manifests(
            replace(FILE, module=replace(MODULE, sum="h1:other=")), steps=bench.steps
        )
    assert not list(bench.cache.rglob("*.yaml"))


async def test_complaint_of_the_checksum_database_is_a_mismatch(bench: Bench) -> None:
    bench.add_go("""echo '{"Error": "verifying module: checksum mismatch: SECURITY ERROR"}'; exit 1""")
    with pytest.raises(ChecksumMismatch, match="SECURITY ERROR"):
        await bench.toolchain(tool()).module_directory(replace(MODULE, sum=None))


async def test_pinned_module_is_checked_against_our_own_sums(bench: Bench) -> None:
    bench.add_go('cp go.sum "$HOME/used.sum"; echo \'{"Dir": "/somewhere"}\'')
    kwok = GoModule(path="sigs.k8s.io/kwok", version="v0.8.0")
    assert await bench.toolchain(tool()).module_directory(kwok) == Path("/somewhere")
    assert "sigs.k8s.io/kwok v0.8.0 h1:" in (bench.root / "used.sum").read_text()


async def test_path_must_stay_inside_the_module(bench: Bench) -> None:
    with pytest.raises(EngineError, match="leads out of the module"):
        await bench.toolchain(tool()).manifests(replace(FILE, paths=("../../passwd",)), steps=bench.steps)
