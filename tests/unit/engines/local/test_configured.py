"""Settings of the control plane in kwokctl's record."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.configured import configurables, configure
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.state import applied
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.settings.effective import effective
from knavtool.settings.settings import Settings

ARGS = ["--kubeconfig=k", "--secure-port=1", "--kube-api-qps=5000", "--contention-profiling=false", "--v=1", "--v=2"]


@pytest.fixture
def made(files: ClusterFiles) -> str:
    """kwokctl's record, in which all processes have the same arguments."""
    listed = [{"name": name, "args": ARGS, "envs": [{"name": "GOGC", "value": "800"}]} for name in PROCESSES]
    documents = [{"kind": "KwokConfiguration"}, {"kind": "KwokctlConfiguration", "components": listed}]
    files.directory.mkdir(parents=True, exist_ok=True)
    files.kwokctl.write_text(yaml.safe_dump_all(documents))
    return files.kwokctl.read_text()


def process(files: ClusterFiles, name: str) -> kwokctl.Process:
    return next(one for one in kwokctl.processes(files) if one.name == name)


def test_arguments_and_variables_are_changed_for_one_process(files: ClusterFiles, made: str) -> None:
    chosen = Settings(args={"etcd": {"v": "--v=9", "new": "--new"}}, environment={"etcd": {"GOGC": None, "A": "b"}})
    configure(files, "etcd", chosen)
    etcd = process(files, "etcd")
    assert etcd.args == (*ARGS[:4], "--v=9", "--new")
    assert etcd.environment == {"A": "b"}
    assert process(files, "kube-apiserver").args == tuple(ARGS)
    assert applied.load(files, "etcd") == chosen
    # What comes next begins with what kwokctl made, not with what was set before.
    configure(files, "etcd", Settings(args={"etcd": {"other": "--other"}}))
    assert process(files, "etcd").args == (*ARGS, "--other")
    configure(files, "etcd", Settings())
    assert list(yaml.safe_load_all(files.kwokctl.read_text())) == list(yaml.safe_load_all(made))
    assert not files.applied("etcd").exists()


def test_a_configuration_takes_the_place_of_flags(files: ClusterFiles, made: str) -> None:
    configure(files, "kube-scheduler", Settings(fields={"percentageOfNodesToScore": 5, "clientConnection.burst": 3}))
    file = files.component("kube-scheduler") / "config.yaml"
    assert process(files, "kube-scheduler").args == ("--secure-port=1", "--v=1", "--v=2", f"--config={file}")
    read: dict[str, Any] = yaml.safe_load(file.read_text())
    assert read["clientConnection"] == {"kubeconfig": str(files.kubeconfig), "qps": 5000, "burst": 3}
    assert (read["enableContentionProfiling"], read["percentageOfNodesToScore"]) == (False, 5)
    assert (file.stat().st_mode & 0o777) == 0o600


@pytest.mark.parametrize("choice", ["LeastAllocated", "MostAllocated"])
def test_scoring_is_a_shortcut(choice: str) -> None:
    about = configurables()["kube-scheduler"].subject
    tree = effective(about, Settings(fields={"scoring": choice})).tree
    (plugin,) = tree["profiles"][0]["pluginConfig"]
    assert plugin["name"] == "NodeResourcesFit"
    assert plugin["args"]["scoringStrategy"]["type"] == choice


def test_every_process_of_the_control_plane_can_be_set() -> None:
    assert tuple(configurables()) == PROCESSES
    assert [name for name, one in configurables().items() if one.subject.config is not None] == ["kube-scheduler"]
