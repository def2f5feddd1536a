"""Bench files: what they say, and all that can be wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.documents.bench_file import BenchFile, load_bench_file
from knavtool.errors import InvalidDocument, UsageError

MEASURES = ["makespan", "gang.wait.p95"]
WHOLE = """\
name: gangs
description: all of it
nodes: values.yaml
workload: [work.yml]
variables: {ttl: 2s}
matrix: {size: [1, 2]}
cluster: {kubernetes: v1.36.3, components: [jobset], tuning: all}
contenders:
- name: Kueue
  with: [kueue=v0.19.0]
  setup: setup.yml
  variables: {quota: 4}
  config: {kueue: kueue.yaml, kube-scheduler: {percentageOfNodesToScore: 50}}
  set: {kueue.integrations: batch}
  args: {kueue: {v: 2}}
  env: {kueue: {GOGC: 200}}
  programs: {kueue-controller: bin/kueue}
- {name: plain, with: "volcano, kueue", kubernetes: 1.37, cluster: {auditLog: true, featureGates: {A: true}}}
baseline: plain
repetitions: 3
warm-up: false
retries: 2
timeout: 90s
seed: 7
measures: [makespan, makespan]
same-within: 2.5%
verdict:
- {measure: makespan, worse-than-baseline: 10%}
- {measure: gang.wait.p95, value: <= 20s}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "values.yaml").write_text("nodes: []\n")
    (tmp_path / "setup.yml").write_text("name: setup\ntasks: []\n")
    (tmp_path / "work.yml").write_text("name: work\ntasks: []\n")
    return tmp_path


def read(directory: Path, text: str) -> BenchFile:
    (directory / "bench.yml").write_text(text)
    return load_bench_file(directory / "bench.yml", MEASURES)


def wrong(directory: Path, text: str) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        read(directory, text)
    return [f"{one.line}:{one.column} {one.path}: {one.message}" for one in caught.value.violations]


def test_all_of_it(directory: Path) -> None:
    bench = read(directory, WHOLE)
    assert (bench.name, bench.description, bench.baseline) == ("gangs", "all of it", "plain")
    assert (bench.values, bench.nodes) == (directory / "values.yaml", ())
    assert bench.workload == (directory / "work.yml",)
    assert (bench.repetitions, bench.warm_up, bench.retries, bench.timeout, bench.seed) == (3, False, 2, 90, 7)
    assert bench.measures == ("makespan",)
    assert bench.same_within == 0.025
    assert [(one.measure, one.worse, one.value) for one in bench.verdict] == [
        ("makespan", 0.1, None),
        ("gang.wait.p95", None, "<= 20s"),
    ]
    kueue, plain = bench.contenders
    assert kueue.setup == (directory / "setup.yml",)
    assert kueue.variables == {"quota": 4}
    assert kueue.cluster.components == {"jobset": "", "kueue": "v0.19.0"}
    assert kueue.cluster.kubernetes == "v1.36.3"
    assert kueue.cluster.programs == {"kueue-controller": directory / "bin" / "kueue"}
    settings = {one.target: one for one in kueue.cluster.settings}
    assert settings["kueue"].config == directory / "kueue.yaml"
    assert settings["kueue"].set == {"integrations": "batch"}
    assert settings["kueue"].args == {"v": 2}
    assert settings["kueue"].env == {"GOGC": 200}
    assert settings["kube-scheduler"].config == {"percentageOfNodesToScore": 50}
    assert plain.cluster.components == {"jobset": "", "volcano": "", "kueue": ""}
    assert (plain.cluster.kubernetes, plain.cluster.audit_log) == ("1.37", True)
    assert plain.cluster.feature_gates == "A=true"
    assert plain.cluster.tuning == "all"


def test_what_is_not_said(directory: Path) -> None:
    bench = read(directory, "workload: work.yml\nnodes: setup.yml\ncontenders: [{name: one}]\n")
    assert bench.name == directory.name
    assert (bench.baseline, bench.repetitions, bench.warm_up, bench.timeout) == ("one", 5, True, 1800)
    assert (bench.values, bench.nodes) == (None, (directory / "setup.yml",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workload: work.yml\n", ["1:1 : the field 'contenders' is missing"]),
        (
            "workload: work.yml\ncontenders: [{name: a}, {name: a}]\n",
            ["2:26 contenders[1].name: there is a contender 'a' already"],
        ),
        (
            "workload: work.yml\ncontenders: [{name: Kueue}]\nbaseline: kueue\n",
            ["3:1 baseline: no contender 'kueue'"],
        ),
        (
            "workload: [gone.yml, work.yml]\ncontenders: [{name: a, setup: none.yml}]\n",
            ["1:1 workload: ", "2:24 contenders[0].setup: "],
        ),
        (
            "workload: work.yml\nvariables: {a: 1}\nmatrix: {a: [1]}\ncontenders: [{name: a}]\n",
            ["3:10 matrix.a: the variable a has a value already, under `variables`"],
        ),
        (
            "workload: work.yml\ncontenders: [{name: a}]\nmeasures: [makespam]\nverdict: [{measure: mean, value: 1}]\n",
            ["3:12 measures[0]: no measure 'makespam'", "4:12 verdict[0].measure: no measure 'mean'"],
        ),
        (
            "workload: work.yml\ncontenders: [{name: a}]\nverdict: [{measure: makespan}]\n",
            ["3:11 verdict[0]: "],
        ),
        ("workload: work.yml\ncontenders: [{name: a}]\ntimeout: soon\n", ["3:1 timeout: "]),
        ("workload: work.yml\ncontenders: [{name: a}]\ntimeout: 0s\n", ["3:1 timeout: must be longer than zero"]),
        ("workload: work.yml\ncontenders: [{name: a}]\nsame-within: 5\n", ["3:1 same-within: "]),
        (
            "workload: work.yml\ncontenders: [{name: a, cluster: {kubernets: v1.36.3}}]\n",
            ["2:34 contenders[0].cluster.kubernets: "],
        ),
    ],
)
def test_what_is_wrong(directory: Path, text: str, expected: list[str]) -> None:
    found = wrong(directory, text)
    assert len(found) == len(expected), found
    for one, start in zip(found, expected, strict=True):
        assert one.startswith(start), found


def test_a_contender_by_name(directory: Path) -> None:
    bench = read(directory, WHOLE)
    assert bench.contender("Kueue").name == "Kueue"
    with pytest.raises(UsageError, match=r"no contender 'Kueu'.*Kueue"):
        bench.contender("Kueu")
