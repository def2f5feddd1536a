"""Names of clusters, places of their files, and the lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knavtool.engines.local.state.layout import ClusterFiles, cluster_files, cluster_names, data_directory
from knavtool.errors import EngineError, UsageError

HOME = {"HOME": "/home/me"}


@pytest.mark.parametrize("name", ["a", "0", "default", "a-b", "a" * 40])
def test_names(name: str) -> None:
    files = cluster_files(name, HOME)
    assert files.directory == Path("/home/me/.local/share/knavtool/clusters") / name
    assert files.context == f"knavtool-{name}"
    assert files.pid("etcd") == files.directory / "pids" / "etcd.pid"
    assert files.log("etcd") == files.directory / "logs" / "etcd.log"


def test_a_cluster_without_tokens_has_the_kubeconfig_of_kwokctl(files: ClusterFiles) -> None:
    assert files.kubeconfig == files.directory / "kubeconfig.yaml"
    files.token_kubeconfig.touch()
    assert files.kubeconfig == files.token_kubeconfig


@pytest.mark.parametrize(
    "name", ["", "A", "-a", "a-", "a_b", "a.b", "a/b", "..", "a" * 41, "a\n", "é", "\N{KELVIN SIGN}"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match="a cluster's name is made of") as raised:
        cluster_files(name, HOME)
    assert raised.value.hint


def test_the_data_directory_follows_xdg() -> None:
    assert data_directory({**HOME, "XDG_DATA_HOME": "/data"}) == Path("/data/knavtool")
    for ignored in ("", "relative/path", "~/data"):
        assert data_directory({**HOME, "XDG_DATA_HOME": ignored}) == Path("/home/me/.local/share/knavtool")


@pytest.mark.parametrize("character", list('",:*?[]\\\n\t\x00'))
def test_paths_that_programs_would_misread(character: str) -> None:
    with pytest.raises(UsageError, match="cannot hold a cluster"):
        cluster_files("a", {"XDG_DATA_HOME": f"/a{character}b"})


def test_names_of_clusters(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    assert cluster_names(environment) == []
    for name in ("b", "a", "Not_one"):
        (tmp_path / "knavtool/clusters" / name).mkdir(parents=True)
    (tmp_path / "knavtool/clusters/file").touch()
    assert cluster_names(environment) == ["a", "b"]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = ClusterFiles(tmp_path, "a"), ClusterFiles(tmp_path, "a")
    with first.locked():
        with pytest.raises(EngineError, match=rf"another knavtool \(process {os.getpid()}\) is working on cluster a"):
            second.locked().__enter__()
        with ClusterFiles(tmp_path, "b").locked():
            pass
    with second.locked():
        pass


def test_the_lock_is_released_after_an_error(tmp_path: Path) -> None:
    files = ClusterFiles(tmp_path, "a")
    with pytest.raises(ZeroDivisionError), files.locked():
        raise ZeroDivisionError
    with files.locked():
        pass


def test_a_lock_outlives_the_directory_of_its_cluster(tmp_path: Path) -> None:
    files = ClusterFiles(tmp_path, "a")
    with files.locked():
        assert not files.directory.exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot write") as raised:
        ClusterFiles(tmp_path / "file", "a").locked().__enter__()
    assert "XDG_DATA_HOME" in raised.value.hint
