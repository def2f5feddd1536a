"""`knavtool bench --engine existing`: repetitions in one cluster, whose components are switched between contenders."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from knavtool import resources
from knavtool.documents.yaml import dump
from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES
from knavtool.kube.waiting import until
from support.chart_repository import REAL, deployment
from support.cli import SCRIPT, run_cli
from support.existing import NODE, Existing
from support.terminal import terminal

pytestmark = pytest.mark.cluster

SCALING = resources.data_directory() / "workflows" / "benchmarks" / "scaling"
NODE_VALUES = {"nodes": [{"type": "dgxa100.80g", "count": 4}]}


def written(existing: Existing, contenders: list[dict[str, Any]], **fields: Any) -> Path:
    """A bench of 6 one-pod Jobs on 4 nodes."""
    directory = existing.directory
    (directory / "nodes.yaml").write_text(dump([NODE_VALUES]))
    content = {
        "name": "small",
        "nodes": "nodes.yaml",
        "workload": str(SCALING / "run-many-jobs.yml"),
        "variables": {"jobs": 6, "gpu": 1, "ttl": "500ms", "timeout": "1m"},
        "contenders": [{"setup": str(SCALING / "config-k8s.yml"), **one} for one in contenders],
        "measures": ["makespan"],
        "repetitions": 1,
        "warm-up": False,
        "retries": 0,
        **fields,
    }
    file = directory / "bench.yml"
    file.write_text(dump([content]))
    return file


def bench(existing: Existing, *args: str | Path, **more: Any) -> CompletedProcess[str]:
    more.setdefault("timeout", 240)
    return run_cli("bench", *args, env=existing.environment, **more)


def rest(existing: Existing) -> dict[str, list[str]]:
    """What a bench could have left."""
    return {
        "nodes": existing.names(NODES),
        "jobs": existing.names(JOBS, "default"),
        "namespaces": sorted({"knavtool", "gadget"} & set(existing.names(NAMESPACES))),
    }


def test_components_are_switched_and_all_is_gone_afterwards(existing: Existing) -> None:
    existing.chart(deployment("controller", affinity=REAL))
    file = written(existing, [{"name": "plain"}, {"name": "gadget", "with": "gadget"}], matrix={"jobs": [3, 6]})
    file.write_text(file.read_text().replace("  jobs: 6\n", ""))
    out = existing.directory / "out"
    told = bench(existing, file, "--engine", "existing", "--yes", "-o", out).stderr
    assert "ok  gadget, jobs=3, repetition 1: makespan " in told, told
    result = json.loads((out / "result.json").read_text())
    assert [one["status"] for one in result["attempts"]] == ["ok"] * 4
    assert {one["contender"] for one in result["cells"] if one["samples"]} == {"plain", "gadget"}
    assert result["machine"]["cluster"].startswith(f"context {existing.plane.context}, Kubernetes v")
    assert result["machine"]["cluster"].endswith(", 1 real nodes")
    assert rest(existing) == {"nodes": [NODE], "jobs": [], "namespaces": []}
    # Nothing is left to do, and nothing is done.
    again = bench(existing, "--resume", out, "--yes")
    assert "repetition" not in again.stderr


def test_what_somebody_leaves_ends_the_bench(existing: Existing) -> None:
    """The repetition counts, but no other one begins; after an interruption the cluster is made what it was."""
    file = written(
        existing,
        [{"name": "A"}, {"name": "B"}],
        timeout="20s",
        variables={"jobs": 6, "gpu": 1, "ttl": "5s", "timeout": "1m"},
    )
    out = existing.directory / "out"
    with subprocess.Popen(
        [SCRIPT, "bench", file, "--engine", "existing", "--yes", "-o", out],
        env=existing.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        async def wait(client: Client) -> None:
            await until(client, JOBS, lambda seen: bool(seen) or None, timeout=60, namespace="default")

        existing.ask(wait)
        existing.create(CONFIG_MAPS, {"metadata": {"name": "stranger"}}, "default")
        _, told = process.communicate(timeout=120)
    try:
        assert process.returncode == 4, told
        assert "ok  A, repetition 1: makespan " in told
        assert "the cluster is not as it was before the last repetition" in told
        assert "there are still or anew: ConfigMap default/stranger" in told
        assert f"`knavtool bench --resume {out}` does the rest" in told
        refused = bench(existing, "--resume", out, "--yes", check=4)
        assert "ConfigMap default/stranger" in refused.stderr
    finally:
        existing.ask(lambda client: client.delete(CONFIG_MAPS, "stranger", namespace="default"))
    done = bench(existing, "--resume", out, "--yes")
    assert done.stderr.startswith("ok  B, repetition 1: makespan "), done.stderr
    assert rest(existing) == {"nodes": [NODE], "jobs": [], "namespaces": []}


def test_what_cannot_be_done_in_a_cluster_that_exists(existing: Existing) -> None:
    """It is told before anything is changed."""
    file = written(
        existing, [{"name": "A"}, {"name": "old", "kubernetes": "v1.36.3", "args": {"kube-scheduler": {"v": 4}}}]
    )
    done = bench(existing, file, "--engine", "existing", "--yes", "--dry-run", check=2)
    assert "contender old: kubernetes, config, set, args and env cannot be set in a cluster that exists" in done.stderr
    file = written(existing, [{"name": "A"}, {"name": "B", "with": "gadget"}])
    existing.chart(deployment("controller", affinity=REAL))
    done = bench(existing, file, "--engine", "existing", "-o", existing.directory / "c", check=2)
    assert "has 1 real nodes; nothing was changed" in done.stderr
    assert not (existing.directory / "c").exists()
    existing.up("--with", "gadget")
    done = bench(existing, file, "--engine", "existing", "--yes", "-o", existing.directory / "a", check=2)
    assert "contender A: the cluster has gadget 1.0.0, which was there before the bench" in done.stderr
    existing.down()
    run_cli("nodes", "apply", "-f", existing.directory / "nodes.yaml", env=existing.environment)
    done = bench(existing, file, "--engine", "existing", "--yes", "-o", existing.directory / "b", check=2)
    assert "the cluster has 4 virtual nodes of knavtool already" in done.stderr
    done = bench(existing, file, "--kubeconfig", "x", check=2)
    assert "--kubeconfig goes with --engine existing only" in done.stderr


def test_the_user_is_asked(existing: Existing) -> None:
    file = written(existing, [{"name": "A"}])
    with terminal(
        "bench", str(file), "--engine", "existing", "-o", str(existing.directory / "out"), env=existing.environment
    ) as user:
        user.until("To run a bench there, type the name of the context: ")
        user.type("production")
        assert user.end() == 2
        assert "that is not the name of the context; nothing was changed" in user.seen
