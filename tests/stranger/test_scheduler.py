"""What somebody else's tests look like: they know the package, its fixtures and nothing else."""

import asyncio
from pathlib import Path

import pytest

import knavtool
from knavtool.errors import InvalidDocument

HERE = Path(__file__).parent


def test_with_the_fixture(knavtool_cluster, tmp_path):
    result = knavtool_cluster.run(HERE / "two-pods.workflow.yml", directory=tmp_path)
    assert result.passed
    assert result.measures["pods.bound"] == 2
    assert result.measures["makespan"] >= 1
    assert result.measures["gang.admission.p50"] is None
    assert {row["node"] for row in result.pods} == {"virtual-dgxa100.80g-0", "virtual-dgxa100.80g-1"}
    assert len(result.gangs) == 1
    assert (tmp_path / "recording.jsonl.gz").exists()


def test_a_check_that_fails_is_a_result(knavtool_cluster):
    knavtool_cluster.nodes(HERE / "nodes.yaml")
    result = knavtool_cluster.run(HERE / "too-many.workflow.yml")
    assert not result.passed
    assert result.failures[0].startswith("all-run: ")


def test_a_file_that_is_wrong(knavtool_cluster, tmp_path):
    (tmp_path / "wf.yml").write_text("tasks: [{id: a}]\n")
    with pytest.raises(InvalidDocument, match="wf.yml:1"):
        knavtool_cluster.run(tmp_path / "wf.yml")


def test_a_cluster_of_its_own():
    async def main():
        settings = {"controlPlane": {"kube-scheduler": {"set": {"scoring": "MostAllocated"}}}}
        async with knavtool.cluster(file=settings) as cluster:
            await cluster.nodes([{"type": "dgxa100.80g", "count": 1}])
            result = await cluster.run(HERE / "two-pods.workflow.yml", variables={"pods": 1})
            return cluster.name, result

    name, result = asyncio.run(main())
    assert name.startswith("t-")
    assert result.measures["pods.ended"] == 1
