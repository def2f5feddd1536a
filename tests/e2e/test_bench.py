"""`knavtool bench` on real clusters: two contenders, an interruption, a contender that fails, work that hangs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from knavtool import resources
from knavtool.documents.yaml import dump
from support.cli import SCRIPT

pytestmark = pytest.mark.cluster

SCALING = resources.data_directory() / "workflows" / "benchmarks" / "scaling"
SLOW = {"args": {"kube-scheduler": {"kube-api-qps": 1, "kube-api-burst": 1}}}
"""A scheduler that binds one pod per second."""

Knavtool = Callable[..., CompletedProcess[str]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bench of 12 one-pod Jobs on 4 nodes."""

    def write(contenders: list[dict[str, Any]], **fields: Any) -> Path:
        content = {
            "name": "small",
            "nodes": str(SCALING / "config-nodes.yml"),
            "workload": str(SCALING / "run-many-jobs.yml"),
            "variables": {"nodes": 4, "jobs": 12, "gpu": 1, "ttl": "500ms", "timeout": "1m"},
            "contenders": [{"setup": str(SCALING / "config-k8s.yml"), **one} for one in contenders],
            "measures": ["makespan", "gang.admission.mean"],
            "warm-up": False,
            "retries": 0,
            **fields,
        }
        file = tmp_path / "bench.yml"
        file.write_text(dump([content]))
        return file

    return write


def test_a_slowed_scheduler_is_found(knavtool: Knavtool, write: Callable[..., Path], tmp_path: Path) -> None:
    """Interrupted after the first repetition, resumed, judged, and compared with itself."""
    bench = write(
        [{"name": "stock"}, {"name": "slow", **SLOW}],
        repetitions=4,  # other tests keep the machine busy
        verdict=[{"measure": "makespan", "worse-than-baseline": "20%"}, {"measure": "pods.bound", "value": 12}],
    )
    knavtool("validate", bench)
    planned = knavtool("bench", bench, "--dry-run").stdout.splitlines()
    assert [line.split(None, 1)[1] for line in planned[:4]] == [
        "stock, repetition 1",
        "slow, repetition 1",
        "slow, repetition 2",
        "stock, repetition 2",
    ]
    out = tmp_path / "out"
    with subprocess.Popen(
        [SCRIPT, "bench", bench, "-o", out], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        # The next one is being started now.
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert first.startswith("ok  stock, repetition 1: makespan "), first + rest
    assert process.returncode == 130
    assert f"1 of 8 repetitions are in {out}; `knavtool bench --resume {out}` does the rest" in rest
    assert not (out / "kubeconfig").exists()
    assert knavtool("cluster", "status", "--name", "nothing", check=4)
    assert not list((Path(os.environ["XDG_DATA_HOME"]) / "knavtool" / "clusters").glob("bench-*"))
    assert "not finished" in (out / "result.md").read_text()

    said = knavtool("bench", bench, "-o", out, check=2).stderr
    assert f"{out} has a bench already" in said
    done = knavtool("bench", "--resume", out, check=1, timeout=400)
    lines = done.stderr.splitlines()
    assert sum("repetition" in line for line in lines) == 7, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["whole"]
    cells = {(one["contender"], one["measure"]): one for one in result["cells"]}
    makespan = cells["slow", "makespan"]
    assert len(makespan["samples"]) == 4
    assert makespan["comparison"]["word"] == "worse"
    assert cells["slow", "gang.admission.mean"]["why"]
    outcomes = {(one["contender"], one["text"]): one["outcome"] for one in result["verdict"]}
    assert outcomes == {
        ("slow", "makespan at most 20 % worse than stock"): "failed",
        ("stock", "pods.bound == 12 in every repetition"): "passed",
        ("slow", "pods.bound == 12 in every repetition"): "passed",
    }
    assert "failed: slow: makespan at most 20 % worse than stock: +" in done.stdout
    slow = next(one for one in result["contenders"] if one["name"] == "slow")
    assert "kube-api-qps=1" in str(slow["components"])
    limit = {"component": "kube-scheduler", "tunable": "clientQPS", "of": "", "value": "1", "source": "flag"}
    assert limit in slow["tunables"]
    line = "| client QPS | **kube-scheduler 5000** | **kube-scheduler 1** |"
    assert line in (out / "result.md").read_text()
    page = (out / "index.html").read_text()
    assert 'href="runs/slow/2/report.html"' in page
    assert (out / "runs" / "slow" / "2" / "report.html").exists()
    assert len(list(csv.DictReader(io.StringIO((out / "result.csv").read_text())))) == 16

    same = knavtool("bench", "compare", out, out, "--worse-than", "10%").stdout
    assert "cannot tell" in same or "same" in same
    # Nothing is left to do.
    again = knavtool("bench", "--resume", out, check=1)
    assert "repetition" not in again.stderr


def test_one_at_a_time_and_killed(knavtool: Knavtool, write: Callable[..., Path], tmp_path: Path) -> None:
    """A second bench is refused; what is left of one that was killed is removed when it is resumed."""
    # The pods run long enough for all that happens meanwhile.
    bench = write([{"name": "stock", "variables": {"ttl": "8s"}}], repetitions=1)
    out, other = tmp_path / "out", tmp_path / "other"
    clusters = Path(os.environ["XDG_DATA_HOME"]) / "knavtool" / "clusters"
    with subprocess.Popen([SCRIPT, "bench", bench, "-o", out], stderr=subprocess.DEVNULL) as process:
        recording = out / "runs" / "stock" / "1" / "recording.jsonl.gz"
        deadline = time.monotonic() + 60
        while not recording.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        said = knavtool("bench", bench, "-o", other, check=4).stderr
        assert f"another bench is running (process {process.pid}, {out})" in said
        assert not other.exists()
        process.kill()
    assert len(list(clusters.glob("bench-*"))) == 1
    done = knavtool("bench", "--resume", out, timeout=120)
    assert done.stderr.startswith("ok  stock, repetition 1: makespan "), done.stderr
    assert not list(clusters.glob("bench-*"))
    # The workload is another one now.
    bench.write_text(bench.read_text().replace("jobs: 12", "jobs: 13"))
    assert "the workload has changed" in knavtool("bench", "--resume", out, check=2).stderr


def test_contenders_that_fail(knavtool: Knavtool, write: Callable[..., Path], tmp_path: Path) -> None:
    """One cluster does not come up, one does its work, the work of one hangs; each says so, and the others go on."""
    bench = write(
        [
            {"name": "broken", "args": {"kube-scheduler": {"no-such-flag": 1}}},
            {"name": "fine"},
            {"name": "hangs", "variables": {"ttl": "1h"}},
        ],
        repetitions=2,
        timeout="20s",
        baseline="fine",
    )
    out = tmp_path / "out"
    done = knavtool("bench", bench, "-o", out, check=1, timeout=240)
    result = json.loads((out / "result.json").read_text())
    failures = {one["name"]: one["failure"] for one in result["contenders"]}
    assert failures["fine"] == ""
    assert failures["broken"].startswith("its cluster did not come up: ")
    assert "no-such-flag" in failures["broken"]
    assert failures["hangs"] == "no repetition came to its end: it did not end within 20 s"
    statuses = [(one["contender"], one["number"], one["status"]) for one in result["attempts"]]
    assert sorted(statuses) == [
        ("broken", 1, "broken"),
        ("fine", 1, "ok"),
        ("fine", 2, "ok"),
        ("hangs", 1, "timeout"),
        ("hangs", 2, "timeout"),
    ]
    assert result["whole"]
    assert "broken, hangs failed" in done.stdout
    assert not list((Path(os.environ["XDG_DATA_HOME"]) / "knavtool" / "clusters").glob("bench-*"))
