"""`knavtool toolchain`, with a mirror directory in place of the release hosts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.toolchain.pins import host_platform

Knavtool = Callable[..., CompletedProcess[str]]

HOST = host_platform()
SAYS = {
    "kubectl": "Client Version: v1.37.2",
    "etcd": "etcd Version: 3.6.16",
    "kwok": "kwok version v0.8.0 go1.26 (linux/amd64)",
    "helm": "v3.22.0+gabcdef0",
    "prometheus": "prometheus, version 3.16.0 (branch: HEAD)",
}

pytestmark = pytest.mark.skipif(HOST.os != "linux", reason="the mirror below holds files for Linux")


def _program(name: str) -> bytes:
    return f"#!/bin/sh\necho '{SAYS[name]}'\n".encode()


def _archive(member: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _put(path: Path, data: bytes | str) -> str:
    """Write a file of the mirror; returns its sum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Files under the names and with the lists that each publisher uses."""
    root = tmp_path / "mirror"
    kube = root / f"dl.k8s.io/v1.37.2/bin/{HOST.os}/{HOST.arch}/kubectl"
    _put(kube.with_name("kubectl.sha256"), _put(kube, _program("kubectl")))
    name = f"etcd-v3.6.16-{HOST.directory}"
    etcd = root / f"github.com/etcd-io/etcd/releases/download/v3.6.16/{name}.tar.gz"
    _put(etcd.with_name("SHA256SUMS"), f"{_put(etcd, _archive(f'{name}/etcd', _program('etcd')))}  {name}.tar.gz\n")
    name = f"kwok-{HOST.directory}"
    kwok = _put(root / f"github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/{name}", _program("kwok"))
    listed = json.dumps({"assets": [{"name": name, "digest": f"sha256:{kwok}"}]})
    _put(root / "api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0", listed)
    name = f"helm-v3.22.0-{HOST.directory}.tar.gz"
    helm = _put(root / "get.helm.sh" / name, _archive(f"{HOST.directory}/helm", _program("helm")))
    _put(root / f"get.helm.sh/{name}.sha256sum", f"{helm}  {name}\n")
    name = f"prometheus-3.16.0.{HOST.directory}"
    data = _archive(f"{name}/prometheus", _program("prometheus"))
    prometheus = root / f"github.com/prometheus/prometheus/releases/download/v3.16.0/{name}.tar.gz"
    _put(prometheus.with_name("sha256sums.txt"), f"{'0' * 64}  other\n{_put(prometheus, data)}  {name}.tar.gz\n")
    return root


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An empty cache, and a PATH that holds a shell and nothing else."""
    path = tmp_path / "bin"
    path.mkdir()
    (path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    cleared = {name: "" for name in os.environ if name.startswith("KNAVTOOL_")}
    return cleared | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(path)}


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a host that refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


def test_every_kind_of_release_is_installed_and_found_again(
    knavtool: Knavtool, mirror: Path, env: dict[str, str], nobody: str, tmp_path: Path
) -> None:
    done = knavtool("toolchain", "install", *SAYS, "--mirror", mirror, "-o", "json", env=env)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(rows) == list(SAYS)
    for name, row in rows.items():
        assert (row["installed"], row["source"]) == (True, "cache")
        installed = Path(row["path"])
        assert installed.read_bytes() == _program(name)
        # What has a sum of its own among the pins is kept in a directory of that sum.
        release = tmp_path / "cache/knavtool/toolchain" / name / row["version"] / HOST.directory
        assert release in installed.parents
        assert installed.name == name

    # Nothing is asked for a second time.
    again = knavtool("toolchain", "install", *SAYS, env=env | {"KNAVTOOL_MIRROR": nobody})
    assert again.stderr == ""
    assert knavtool("toolchain", "path", "etcd", env=env).stdout == rows["etcd"]["path"] + "\n"


def test_without_go_and_network_each_source_is_named(
    knavtool: Knavtool, env: dict[str, str], nobody: str, tmp_path: Path
) -> None:
    done = knavtool("toolchain", "install", "etcd", env=env | {"KNAVTOOL_MIRROR": nobody}, check=4)
    assert done.stdout == ""
    end = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert end == [
        "error: no usable etcd 3.6.16; tried",
        "  path: no etcd there",
        f"  cache: no {tmp_path / 'cache/knavtool/toolchain/etcd/3.6.16' / HOST.directory / 'etcd'}",
        f"  download: cannot reach {nobody.removeprefix('http://')}: Connection refused",
        "  build: no go command on PATH (Go 1.26 or newer builds it from source)",
        "try: put it on PATH, or set KNAVTOOL_ETCD_BINARY to its path",
    ]


def test_wrong_checksum_is_refused(knavtool: Knavtool, mirror: Path, env: dict[str, str], tmp_path: Path) -> None:
    kubectl = mirror / f"dl.k8s.io/v1.37.2/bin/{HOST.os}/{HOST.arch}/kubectl"
    kubectl.write_bytes(kubectl.read_bytes() + b"# changed\n")
    done = knavtool("toolchain", "install", "kubectl", "--mirror", mirror, env=env, check=4)
    assert "has the wrong checksum and was removed" in done.stderr
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    assert left == []


def test_list_tells_where_programs_are_and_would_come_from(knavtool: Knavtool, env: dict[str, str]) -> None:
    old = Path(env["PATH"]) / "kubectl"
    old.write_text("#!/bin/sh\necho Client Version: v1.32.4\n")
    old.chmod(0o755)
    mine = Path(env["PATH"]) / "my-etcd"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    given = {"KNAVTOOL_ETCD_BINARY": str(mine), "KNAVTOOL_KUEUE_CONTROLLER_BINARY": str(mine)}
    done = knavtool("toolchain", "list", "-o", "yaml", env=env | given)
    rows = {row["name"]: row for row in yaml.safe_load(done.stdout)}
    # Those of a cluster, and those of components.
    assert SAYS.keys() < rows.keys()
    kueue = Catalogue.load({}).component("kueue").version
    assert (rows["kueue-controller"]["version"], rows["kueue-controller"]["source"]) == (kueue, "explicit")
    assert (rows["kubectl"]["installed"], rows["kubectl"]["source"]) == (False, "download")
    assert rows["kubectl"]["note"] == f"{old} has version v1.32.4, and v1.37.2 is needed"
    assert (rows["etcd"]["source"], rows["etcd"]["path"]) == ("explicit", str(mine))
    table = knavtool("toolchain", "list", env=env).stdout.splitlines()
    assert table[0].split()[:3] == ["NAME", "VERSION", "INSTALLED"]
    assert len(table) == 1 + len(rows)


def test_path_of_what_is_not_installed(knavtool: Knavtool, env: dict[str, str]) -> None:
    done = knavtool("toolchain", "path", "kwok", env=env, check=4)
    assert done.stdout == ""
    assert "`knavtool toolchain install kwok`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (["path", "etc"], {}, "did you mean etcd?"),
        (["install", "kube-apisever"], {}, "did you mean kube-apiserver?"),
        (["install", "--source", "pth"], {}, "no such source of programs: 'pth'"),
        (["install", "etcd"], {"KNAVTOOL_ETCD_BINARY": "/nowhere/etcd"}, "/nowhere/etcd is not an executable file"),
    ],
)
def test_wrong_arguments(
    knavtool: Knavtool, env: dict[str, str], arguments: list[str], more: dict[str, str], said: str
) -> None:
    done = knavtool("toolchain", *arguments, env=env | more, check=2)
    assert said in done.stderr
    assert done.stdout == ""


def _cached(env: dict[str, str], name: str, version: str) -> Path:
    """A program that lies in the cache as if it had been installed."""
    file = Path(env["XDG_CACHE_HOME"]) / "knavtool/toolchain" / name / version / HOST.directory / name
    _put(file, "#!/bin/sh\nsleep 60\n")
    file.chmod(0o755)
    return file


def test_programs_that_nothing_uses_are_removed(knavtool: Knavtool, env: dict[str, str], tmp_path: Path) -> None:
    env |= {"XDG_DATA_HOME": str(tmp_path / "data")}
    default = _cached(env, "etcd", "3.6.16")
    old, linked, kept, running = (_cached(env, "etcd", version) for version in ("3.5.0", "3.5.1", "3.5.2", "3.5.3"))
    # What a cluster has: links to its programs, and keepers that know theirs. It need not run.
    cluster = tmp_path / "data/knavtool/clusters/mine"
    (cluster / "bin").mkdir(parents=True)
    (cluster / "bin/etcd").symlink_to(linked)
    _put(cluster / "keepers/x/spec.json", json.dumps({"argv": [str(kept), "--x"], "before_restart": []}))
    shutil.copy("/bin/sleep", running)
    with subprocess.Popen([running, "60"]) as process:
        listed = json.loads(knavtool("toolchain", "list", "--all", "-o", "json", env=env).stdout)
        assert {row["version"]: row["used_by"] for row in listed} == {
            "3.6.16": "default",
            "3.5.0": "",
            "3.5.1": "cluster mine",
            "3.5.2": "cluster mine",
            "3.5.3": f"process {process.pid}",
        }
        tried = json.loads(knavtool("toolchain", "prune", "--dry-run", "-o", "json", env=env).stdout)
        assert [row["path"] for row in tried] == [str(old)]
        assert old.exists()
        removed = json.loads(knavtool("toolchain", "prune", "-o", "json", env=env).stdout)
        assert removed == tried
        assert [file.exists() for file in (old, default, linked, kept, running)] == [False, True, True, True, True]
        knavtool("toolchain", "prune", "--all", env=env)
        assert [file.exists() for file in (default, linked, kept, running)] == [False, True, True, True]
        process.kill()


def test_programs_of_another_kubernetes_are_kept_beside_ours(
    knavtool: Knavtool, mirror: Path, env: dict[str, str], tmp_path: Path
) -> None:
    other = mirror / f"dl.k8s.io/v1.36.9/bin/{HOST.os}/{HOST.arch}/kubectl"
    _put(other.with_name("kubectl.sha256"), _put(other, "#!/bin/sh\necho Client Version: v1.36.9\n"))
    install = ["toolchain", "install", "kubectl", "--mirror", str(mirror), "--source", "cache", "--source", "download"]
    for arguments, version in ([], "v1.37.2"), (["--kube-version", "1.36.9"], "v1.36.9"):
        (row,) = json.loads(knavtool(*install, *arguments, "-o", "json", env=env).stdout)
        assert (row["version"], row["source"]) == (version, "cache")
    versions = json.loads(knavtool("toolchain", "list", "--all", "-o", "json", env=env).stdout)
    assert [row["version"] for row in versions] == ["v1.36.9", "v1.37.2"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("v1.36.99", "kubectl is known to work at v1.35.4, v1.36.3, v1.37.2; v1.36.3 is the nearest"),
        ("1.29", "--kube-version 1.29: expected a release such as v1.37.2"),
        ("latest", "known to work are v1.35.4, v1.36.3, v1.37.2"),
    ],
)
def test_a_kubernetes_that_cannot_be_had(knavtool: Knavtool, env: dict[str, str], version: str, said: str) -> None:
    install = ["toolchain", "install", "kubectl", "--kube-version", version, "--source", "cache"]
    done = knavtool(*install, env=env, check=4 if version == "v1.36.99" else 2)
    assert said in done.stderr
