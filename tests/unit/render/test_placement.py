from __future__ import annotations

from typing import Any

import pytest

from knavtool.render.placement import on_real_nodes, stays_on_real_nodes

RULE = "requiredDuringSchedulingIgnoredDuringExecution"
REAL = {"key": "type", "operator": "NotIn", "values": ["kwok"]}


def deployment(**pod: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "spec": {"replicas": 1, "template": {"metadata": {}, "spec": pod}}}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"])
def test_pods_get_the_rule(kind: str) -> None:
    before = {**deployment(containers=[]), "kind": kind}
    after = on_real_nodes(before)
    terms = after["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][RULE]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [REAL]}]
    assert after["spec"]["replicas"] == 1
    assert not stays_on_real_nodes(before), "the original is as it was"
    assert stays_on_real_nodes(after)


def test_every_alternative_gets_the_rule_beside_what_it_has() -> None:
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    terms = [{"matchExpressions": [linux]}, {"matchFields": [{"key": "metadata.name"}]}]
    affinity = {"podAntiAffinity": {"a": 1}, "nodeAffinity": {"preferred": [1], RULE: {"nodeSelectorTerms": terms}}}
    pod = on_real_nodes(deployment(affinity=affinity))["spec"]["template"]["spec"]
    assert pod["affinity"]["podAntiAffinity"] == {"a": 1}
    assert pod["affinity"]["nodeAffinity"]["preferred"] == [1]
    assert pod["affinity"]["nodeAffinity"][RULE]["nodeSelectorTerms"] == [
        {"matchExpressions": [linux, REAL]},
        {"matchFields": [{"key": "metadata.name"}], "matchExpressions": [REAL]},
    ]


def test_cron_jobs_and_pods_get_it_too() -> None:
    job = deployment()["spec"]
    cron = on_real_nodes({"kind": "CronJob", "spec": {"jobTemplate": {"spec": job}}})
    assert "affinity" in cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "affinity" in on_real_nodes({"kind": "Pod", "spec": {}})["spec"]


def test_the_rest_is_left_alone() -> None:
    other = {"kind": "Service", "spec": {"template": {"spec": {}}}}
    assert on_real_nodes(other) is other
    once = on_real_nodes(deployment())
    assert on_real_nodes(once) is once
