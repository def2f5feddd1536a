"""`cluster up -f`: one file that says a whole cluster, and the file that options amount to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.control_plane import LocalCluster

FILE = """\
name: own
prometheus: false
components:
- name: kwok
  args: {node-lease-duration-seconds: 100}
controlPlane:
  kube-scheduler:
    set: {scoring: MostAllocated, percentageOfNodesToScore: 50}
nodes:
- {type: dgxa100.80g, count: 2}
"""


@pytest.mark.cluster
def test_a_file_says_a_cluster(own: LocalCluster, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(FILE)
    done = own.cli("cluster", "up", "-f", file)
    assert "2 created" in done.stdout
    before = own.pids()
    shown = own.status()
    assert "scoring=MostAllocated" in str(shown["kube-scheduler"]["differs"])
    assert "node-lease-duration-seconds=100" in str(shown["kwok"]["differs"])
    # Again, it changes nothing.
    done = own.cli("cluster", "up", "-f", file)
    assert done.stdout.splitlines()[0] == "nothing to do: cluster own is as wanted"
    # The file that it amounts to makes the same cluster.
    told = own.cli("cluster", "up", "-f", file, "--dry-run", "-o", "yaml").stdout
    written = yaml.safe_load(told)
    assert written["controlPlane"] == {
        "kube-scheduler": {"set": {"scoring": "MostAllocated", "percentageOfNodesToScore": 50}}
    }
    assert written["nodes"] == [{"type": "dgxa100.80g", "count": 2}]
    assert {one["name"]: one["version"] for one in written["components"]}.keys() == {"stages", "kwok"}
    again = tmp_path / "again.yaml"
    again.write_text(told)
    own.cli("validate", again)
    done = own.cli("cluster", "up", "-f", again)
    assert done.stdout.splitlines()[0] == "nothing to do: cluster own is as wanted"
    assert own.pids() == before
    # What a file does not say any more of what it names is dropped; an option wins over it.
    file.write_text(FILE.replace(", percentageOfNodesToScore: 50", "").replace("MostAllocated", "LeastAllocated"))
    own.cli("cluster", "up", "-f", file, "--set", "kube-scheduler.parallelism=4")
    differs = str(own.status()["kube-scheduler"]["differs"])
    assert "percentageOfNodesToScore" not in differs
    assert "parallelism=4" in differs
    after = own.pids()
    assert {name for name in before if before[name] != after[name]} == {"kube-scheduler"}


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("kubernets: v1.37.2\n", [], "did you mean 'kubernetes'?"),
        ("components: [kuueue]\n", [], "did you mean kueue?"),
        ("kubernetes: '1.12'\n", [], "known to work are v1."),
        ("components: [jobset]\n", ["-o", "yaml"], "-o goes with --dry-run only"),
        ("components: [{name: jobset, set: {a: 1}, version: v0.11.0}]\n", ["--with", "jobset=v0.12.0"], ""),
    ],
)
def test_what_a_file_cannot_say(own: LocalCluster, tmp_path: Path, text: str, options: list[str], said: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    if not said:
        plan = own.cli("cluster", "up", "-f", file, "--name", "own", *options, "--dry-run", "-o", "json").stdout
        assert {"name": "jobset", "version": "v0.12.0", "set": {"a": 1}} in yaml.safe_load(plan)["components"]
        return
    done = own.cli("cluster", "up", "-f", file, "--name", "own", *options, check=2)
    assert said in done.stderr
    assert not own.files.directory.exists()
