"""The file that says a whole cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.documents.cluster_file import ClusterFile, load_cluster_file
from knavtool.errors import InvalidDocument, UsageError
from knavtool.settings.asked import Asked, Change, ConfigFile, Field, read_options
from knavtool.settings.documented import joined, read_entries

WHOLE = """\
name: lab
kubernetes: 1.37
components:
- jobset
- kueue=v0.19.0
- name: kwok
  version: v0.8.0
  source: ../kwok
  args: {v: 4, old: null, quiet: true}
  env: {GOGC: 50}
- name: volcano
  files: volcano
  config: scheduler.conf
  replace: true
  processes: {volcano-scheduler: {args: {schedule-period: 1s}}}
controlPlane:
  kube-scheduler:
    config: {parallelism: 4}
    set: {'profiles[0].schedulerName': mine}
featureGates: {A: true, B: false}
runtimeConfig: {scheduling.k8s.io/v1beta1: true}
tuning: [memory, etcd]
auditLog: true
prometheus: false
port: 6443
programs: {kube-scheduler: bin/kube-scheduler}
nodes:
- {type: dgxa100.80g, count: 2}
"""


def write(directory: Path, text: str) -> Path:
    file = directory / "cluster.yaml"
    file.write_text(text)
    return file


def test_all_that_a_file_can_say(tmp_path: Path) -> None:
    (tmp_path / "scheduler.conf").write_text('actions: "allocate"\n')
    said = load_cluster_file(write(tmp_path, WHOLE))
    assert (said.name, said.kubernetes, said.port) == ("lab", "1.37", 6443)
    assert (said.audit_log, said.prometheus, said.tuning) == (True, False, "memory,etcd")
    assert said.components == {"jobset": "", "kueue": "v0.19.0", "kwok": "v0.8.0", "volcano": ""}
    assert said.sources == {"kwok": tmp_path / "../kwok"}
    assert said.files == {"volcano": tmp_path / "volcano"}
    assert said.programs == {"kube-scheduler": tmp_path / "bin/kube-scheduler"}
    assert (said.feature_gates, said.runtime_config) == ("A=true,B=false", "scheduling.k8s.io/v1beta1=true")
    assert isinstance(said.nodes, tuple)
    assert [(entry.type, entry.count) for entry in said.nodes] == [("dgxa100.80g", 2)]
    asked = read_entries(said.settings, instead=said.configured)
    assert set(asked.args) == {
        Change(target="kwok", name="v", value="--v=4"),
        Change(target="kwok", name="old", value=None),
        Change(target="kwok", name="quiet", value="--quiet=true"),
        Change(target="volcano/volcano-scheduler", name="schedule-period", value="--schedule-period=1s"),
    }
    assert asked.environment == (Change(target="kwok", name="GOGC", value="50"),)
    assert asked.fields == (Field(target="kube-scheduler", path="profiles[0].schedulerName", value="mine"),)
    whole, merged = asked.files
    assert (whole.target, whole.text, whole.data) == ("volcano", 'actions: "allocate"\n', None)
    assert (merged.target, merged.data) == ("kube-scheduler", {"parallelism": 4})
    assert merged.source.endswith("cluster.yaml:17:3")
    # What earlier calls set for what the file names is dropped.
    assert asked.reset == ("jobset", "kueue", "kwok", "volcano", "kube-scheduler")


def test_a_file_that_says_little(tmp_path: Path) -> None:
    said = load_cluster_file(write(tmp_path, "kubernetes: v1.36.3\nnodes: values.yaml\n"))
    assert said == ClusterFile(
        file=str(tmp_path / "cluster.yaml"),
        kubernetes="v1.36.3",
        nodes=tmp_path / "values.yaml",
        written_nodes=str(tmp_path / "values.yaml"),
    )
    assert not read_entries(said.settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("component: [kueue]\n", ["1:1: component: unknown field 'component'; did you mean 'components'?"]),
        ("components: [kueue, kueue=v0.15.0]\n", ["1:21: components[1]: kueue is there already"]),
        ("components: [{version: v1.0.0}]\n", ["1:14: components[0]: the field 'name' is missing"]),
        ("controlPlane: {kube-schduler: {}}\n", ["did you mean 'kube-scheduler'?"]),
        ("controlPlane: {etcd: {config: {}}}\n", ["controlPlane.etcd.config"]),
        ("components: []\nnodes:\n- {type: dgxa100.80g, cuont: 2}\n", ["3:23: nodes[0].cuont", "'count'"]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: list[str]) -> None:
    with pytest.raises(InvalidDocument) as raised:
        load_cluster_file(write(tmp_path, text))
    for part in told:
        assert part in raised.value.message


def test_flags_and_paths_that_cannot_be_read_are_told_with_their_place(tmp_path: Path) -> None:
    said = load_cluster_file(write(tmp_path, "components:\n- {name: kueue, set: {'a[': 1}}\n"))
    with pytest.raises(UsageError, match=r"cluster.yaml:2:3: set: "):
        read_entries(said.settings)
    said = load_cluster_file(write(tmp_path, "components:\n- {name: kueue, args: {9x: 1}}\n"))
    with pytest.raises(UsageError, match=r"cluster.yaml:2:3: args: "):
        read_entries(said.settings)


def test_options_win_over_a_file() -> None:
    file = Asked(
        files=(ConfigFile(target="a", source="f", text="", data={}),),
        fields=(Field(target="a", path="x", value=1), Field(target="a", path="y", value=1)),
    )
    both = joined(file, read_options(fields=["a.x=2"], args=["a=--v=1"], reset=["b"]))
    assert both.fields == (Field(target="a", path="x", value=2), Field(target="a", path="y", value=1))
    assert both.files == file.files
    assert (both.args, both.reset) == ((Change(target="a", name="v", value="--v=1"),), ("b",))
