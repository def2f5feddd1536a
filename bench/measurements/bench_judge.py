"""Whether `knavtool bench` finds a scheduler that is slower by 10, 20 and 50 %.

The schedulers are real ones: kube-scheduler with a limit of its requests per second, and the same with a lower limit.
As a Job of one pod costs one binding, the makespan is the number of Jobs divided by the limit, and a little more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.commands import knavtool
from bench.measurement import Aim, Held, Measurement, Sample
from bench.setting import BenchError
from knavtool import resources
from knavtool.documents.yaml import dump

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting

_QPS = 20.0
_SLOWER = (10, 20, 50)
"""By how many percent."""
_REPETITIONS = 4


def run(setting: Setting) -> Generator[Sample]:
    """Also told: by how many percent each was found to be slower, and whether the stock one was taken for another."""
    workflows = resources.data_directory() / "workflows" / "benchmarks" / "scaling"
    bench = {
        "name": "judge",
        "nodes": str(workflows / "config-nodes.yml"),
        "workload": str(workflows / "run-many-jobs.yml"),
        "variables": {"nodes": 50, "jobs": setting.count(300), "gpu": 1, "ttl": "500ms", "timeout": "5m"},
        "contenders": [
            {"name": name, "setup": str(workflows / "config-k8s.yml"), "args": {"kube-scheduler": _limit(percent)}}
            for name, percent in (("stock", 0), ("again", 0), *((f"{one} %", one) for one in _SLOWER))
        ],
        "measures": ["makespan"],
        "repetitions": 1 if setting.quick else _REPETITIONS,
        "warm-up": False,
    }
    for number in range(setting.repeat):
        out = setting.directory / f"judge-{number}"
        file = setting.file("judge.yml", dump([bench]))
        knavtool(setting.environment(), "bench", str(file), "-o", str(out))
        comparisons = _comparisons(json.loads((out / "result.json").read_text()))
        found = [one for one in _SLOWER if comparisons[f"{one} %"]["word"] == "worse"]
        yield Sample(
            ours=len(_SLOWER) - len(found),
            beside=len(_SLOWER),
            also={
                **{f"{one} % slower, found %": 100 * comparisons[f"{one} %"]["change"] for one in _SLOWER},
                "false alarms": comparisons["again"]["word"] in ("better", "worse"),
            },
        )


def _limit(percent: int) -> dict[str, Any]:
    """The flags of a scheduler that is slower by so many percent."""
    return {"kube-api-qps": round(_QPS / (1 + percent / 100), 3), "kube-api-burst": 1}


def _comparisons(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By contender."""
    found = {one["contender"]: one["comparison"] for one in result["cells"] if one["comparison"]}
    if missing := [one["name"] for one in result["contenders"][1:] if one["name"] not in found]:
        raise BenchError(f"no comparison of {', '.join(missing)}")
    return found


MEASUREMENT = Measurement(
    name="bench-judge",
    ours="schedulers slower by 10, 20 and 50 % that `bench` does not find",
    beside="of",
    unit="contenders",
    aim=Aim(held=Held.OURS, limit=0),
    run=run,
)
