"""What is run, in which order, with which values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from knavtool.bench.planning import MEASURES, Slot, digest
from knavtool.errors import InvalidDocument, UsageError
from support.benches import SETUP, WORKLOAD, planned


def test_contenders_take_turns(tmp_path: Path) -> None:
    slots = list(planned(tmp_path, contenders="ABC", repetitions=3).schedule())
    assert [one.contender for one in slots[:3]] == ["A", "B", "C"]
    assert {one.number for one in slots[:3]} == {0}
    assert ["".join(one.contender for one in slots[first : first + 3]) for first in (3, 6, 9)] == ["ABC", "BCA", "CAB"]


def test_no_contender_is_always_first_in_a_scenario(tmp_path: Path) -> None:
    bench = planned(tmp_path, repetitions=4, matrix={"size": [1, 2]}, **{"warm-up": False})
    slots = list(bench.schedule())
    assert len(slots) == 16
    firsts = Counter((one.scenario, one.contender) for one in slots[::2])
    assert len(firsts) == 4
    assert len(set(slots)) == 16


def test_scenarios(tmp_path: Path) -> None:
    bench = planned(tmp_path, matrix={"ttl": ["1s", "2s"], "size": [1, 2]})
    assert [one.name for one in bench.scenarios] == [
        "ttl=1s, size=1",
        "ttl=1s, size=2",
        "ttl=2s, size=1",
        "ttl=2s, size=2",
    ]
    assert [one.name for one in planned(tmp_path / "b").scenarios] == [""]


def test_values_of_variables(tmp_path: Path) -> None:
    bench = planned(tmp_path, variables={"ttl": "2s"}, matrix={"size": [5]})
    plan = bench.plan(Slot("size=5", "A", 1))
    (task,) = [one for one in plan.tasks() if one.document.id == "work"]
    assert task.document.params["timeout"] == "2s"
    bench = planned(tmp_path, variables={"ttl": "2s"}, of_a={"variables": {"ttl": "3s"}})
    timeouts = []
    for contender in "AB":
        tasks = bench.plan(Slot("", contender, 1)).tasks()
        timeouts += [one.document.params["timeout"] for one in tasks if one.document.id == "work"]
    assert timeouts == ["3s", "2s"]


def test_the_seed_is_that_of_the_repetition(tmp_path: Path) -> None:
    bench = planned(tmp_path, seed=10)
    (tmp_path / "work.yml").write_text(WORKLOAD.replace("size: 1", "seed: 0").replace("${ttl}", "${seed}s"))
    seeds = []
    for contender, number in (("A", 0), ("A", 1), ("B", 1), ("A", 3)):
        plan = bench.plan(Slot("", contender, number))
        (task,) = [one for one in plan.tasks() if one.document.id == "work"]
        seeds.append(task.document.params["timeout"])
    assert seeds == ["10s", "10s", "10s", "12s"]


def test_measures(tmp_path: Path) -> None:
    assert planned(tmp_path).measures == MEASURES
    bench = planned(tmp_path, measures=["makespan"], verdict=[{"measure": "pods.bound", "value": 3}])
    assert bench.measures == ("makespan", "pods.bound")


def test_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no workflow has a variable 'tll'; did you mean 'ttl'"):
        planned(tmp_path, variables={"tll": "2s"})
    with pytest.raises(UsageError, match="no workflow of A has a variable 'x'"):
        planned(tmp_path, of_a={"variables": {"x": 1}})
    with pytest.raises(InvalidDocument) as caught:
        planned(tmp_path, verdict=[{"measure": "makespan", "value": "20 pods"}])
    assert str(caught.value.violations[0]).endswith(
        "bench.yml:10:3: verdict[0]: '20 pods' is not a duration such as 20s"
    )
    with pytest.raises(InvalidDocument) as caught:
        planned(tmp_path, variables={"ttl": "soon"})
    assert [Path(one.file).name for one in caught.value.violations] == ["work.yml"]


def test_the_digest_is_that_of_the_workload(tmp_path: Path) -> None:
    first = digest(planned(tmp_path))
    assert digest(planned(tmp_path, contenders="AC", repetitions=2)) == first
    assert digest(planned(tmp_path, variables={"ttl": "2s"})) != first
    bench = planned(tmp_path)
    (tmp_path / "work.yml").write_text(WORKLOAD.replace("1s", "2s"))
    assert digest(bench) != first


def test_templates_belong_to_the_workload(tmp_path: Path) -> None:
    """Also one that a variable names; those of a contender's setup do not."""
    template = tmp_path / "pod.yaml"
    template.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{.name}}'}\n")
    bench = planned(tmp_path)
    register = "- {{id: {0}, type: RegisterObj, params: {{template: '{1}', nameFormat: 'x{{{{._ENUM_}}}}'}}}}\n"
    (tmp_path / "setup.yml").write_text(SETUP + register.format("theirs", template))
    without = digest(bench)
    (tmp_path / "work.yml").write_text(
        WORKLOAD.replace("size: 1", f"file: {template}") + register.format("r", "${file}")
    )
    first = digest(bench)
    template.write_text(template.read_text() + "data: {a: b}\n")
    assert digest(bench) != first
    (tmp_path / "work.yml").write_text(WORKLOAD)
    assert digest(bench) == without
