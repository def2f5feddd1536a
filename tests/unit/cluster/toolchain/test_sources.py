"""Single files of upstream projects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from knavtool.errors import BinaryMissing, EngineError
from support.releases import Bench, Host, Served, tool

MODULE = {"module": "example.org/stages", "version": "v0.1.0", "path": "stages/pod.yaml"}
URL = "https://releases.example/v1/pod.yaml"
TEXT = b"kind: Stage\n"


def _cached(bench: Bench) -> Path:
    return bench.cache / "sources/example.org/stages@v0.1.0/stages/pod.yaml"


def _add_module(bench: Bench) -> None:
    file = bench.root / "module/stages/pod.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(TEXT)
    bench.add_go(f'echo "$@" >> "$GO_CALLS"; echo \'{{"Dir": "{bench.root / "module"}"}}\'')


async def test_release_file_with_a_sum_is_downloaded_once(bench: Bench, host: Host) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(TEXT)
    toolchain = bench.toolchain(tool(), mirror=host.url)
    sha256 = hashlib.sha256(TEXT).hexdigest()
    for _ in range(2):
        found = await toolchain.source_file(url=URL, sha256=sha256, **MODULE)
        assert found == _cached(bench)
        assert found.read_bytes() == TEXT
    assert len(host.requests) == 1


async def test_without_a_sum_the_module_is_read_and_then_the_cache(bench: Bench, host: Host) -> None:
    host.files["/releases.example/v1/pod.yaml"] = Served(b"not verified")
    _add_module(bench)
    toolchain = bench.toolchain(tool(), mirror=host.url)
    for _ in range(2):
        assert (await toolchain.source_file(url=URL, **MODULE)).read_bytes() == TEXT
    assert host.requests == []
    assert bench.go_calls == ["mod download -json example.org/stages@v0.1.0"]


async def test_error_names_both_sources(bench: Bench, host: Host) -> None:
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(tool(), mirror=host.url).source_file(url=URL, sha256="0" * 64, **MODULE)
    reasons = dict(raised.value.attempts)
    assert "answered 404" in reasons["download"]
    assert "no go command" in reasons["go module"]


async def test_go_tells_why_a_module_cannot_be_had(bench: Bench) -> None:
    bench.add_go("""echo '{"Error": "module lookup disabled"}'; exit 1""")
    with pytest.raises(BinaryMissing, match="module lookup disabled"):
        await bench.toolchain(tool()).module_directory("example.org/stages", "v0.1.0")


async def test_pinned_module_is_checked_against_our_own_sums(bench: Bench) -> None:
    bench.add_go('cp go.sum "$HOME/used.sum"; echo \'{"Dir": "/somewhere"}\'')
    assert await bench.toolchain(tool()).module_directory("sigs.k8s.io/kwok", "v0.8.0") == Path("/somewhere")
    assert "sigs.k8s.io/kwok v0.8.0 h1:" in (bench.root / "used.sum").read_text()


async def test_path_must_stay_inside_the_module(bench: Bench) -> None:
    with pytest.raises(EngineError, match="leads out of the module"):
        await bench.toolchain(tool()).source_file(module="example.org/stages", version="v0.1.0", path="../../passwd")
