"""What somebody sees who has just got knavtool: an empty home, and caches that hold nothing but built programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import environment
from support.cli import run_cli
from support.control_plane import LocalCluster

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "charts/virtual-nodes/values-example.yaml"
APART = [
    ("a", ("--with", "kueue,jobset")),
    ("b", ("--with", "mpi-operator,jobset")),
    ("c", ("--with", "kueue,kuberay")),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which there are only the programs, which take minutes to build."""
    cache = tmp_path / "home" / ".cache" / "knavtool"
    cache.mkdir(parents=True)
    (cache / "toolchain").symlink_to(environment.cache_home(environment.current()) / "knavtool" / "toolchain")
    return tmp_path / "home"


@pytest.fixture
def newcomer(home: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a user who has set nothing."""
    places = ("CACHE", "CONFIG", "DATA", "STATE")
    unset = {"HOME": str(home), "KUBECONFIG": "", **{f"XDG_{place}_HOME": "" for place in places}}
    yield unset
    run_cli("cluster", "down", env=unset)


def quick_start() -> list[list[str]]:
    """The commands of the README, without that which installs knavtool."""
    block = re.search(r"## Quick start\n\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    install, *commands = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    assert install[0] == "pip"
    assert {command[0] for command in commands} == {"knavtool"}
    return [command[1:] for command in commands]


def test_the_quick_start_works_as_it_is_written(newcomer: Mapping[str, str], home: Path, tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    for name in ("charts", "workflows"):
        (tmp_path / "checkout" / name).symlink_to(ROOT / name)

    def knavtool(*args: str) -> str:
        return run_cli(*args, env=newcomer, cwd=tmp_path / "checkout").stderr

    def nodes() -> list[str]:
        said = run_cli("nodes", "list", "-o", "json", env=newcomer).stdout
        return sorted(re.findall(r'"name": ?"([^"]+)"', said))

    for command in quick_start():
        said = knavtool(*command)
        assert "warning" not in said.lower()
    assert sorted(file.name for file in (tmp_path / "checkout" / "report").iterdir()) == [
        "junit.xml",
        "recording.jsonl.gz",
        "report.html",
        "report.json",
        "summary.md",
    ]
    assert (home / ".kube" / "config").is_file()
    six = nodes()
    assert len(six) == 6

    # A workflow that brings its own nodes takes those away, but not without a word.
    assert "nodes apply -f FILE" not in knavtool("run", "workflows/k8s/test-job.yml", "--cleanup")
    assert nodes() == six
    said = knavtool("run", "workflows/k8s/test-job.yml")
    assert "removes nodes of `knavtool nodes apply` that are not listed here (4): " in said
    assert nodes() == ["virtual-dgxa100.80g-0", "virtual-dgxa100.80g-1"]
    knavtool("nodes", "apply", "-f", EXAMPLE)
    assert nodes() == six


def test_clusters_of_different_components_come_up_at_once(home: Path, tmp_path: Path) -> None:
    clusters = {}
    for name, options in APART:
        (tmp_path / name).mkdir()
        clusters[name] = LocalCluster(root=tmp_path / name, name=name, caches=home / ".cache"), options
    try:
        with ThreadPoolExecutor() as pool:
            ups = [pool.submit(one.up, *options, "--timeout", "5m", timeout=400) for one, options in clusters.values()]
        for up in ups:
            up.result()
        for cluster, _ in clusters.values():
            assert {row["state"] for row in cluster.status().values()} == {"healthy"}
        kept = [file.name for file in (home / ".cache/knavtool/parsed").iterdir()]
        assert kept
        assert [name for name in kept if not re.fullmatch(r"[0-9a-f]{64}\.json", name)] == []
    finally:
        for cluster, _ in clusters.values():
            cluster.down()
