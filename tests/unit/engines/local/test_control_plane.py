"""Processes of the control plane that are replaced while somebody watches them, with shells in their place."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from knavtool.engines.local.control_plane.control_plane import replace_process, unless_dead
from knavtool.engines.local.control_plane.kinds import until_collected
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.processes import processes
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.errors import ProcessDied
from knavtool.kube.gateway import Change
from knavtool.kube.resource import CONFIG_MAPS, LEASES
from support.memory import Memory

SHELL = shutil.which("sh") or "/bin/sh"
NAME = "kube-controller-manager"


@pytest.fixture
async def cluster(files: ClusterFiles) -> AsyncIterator[ClusterFiles]:
    """All four run, as kwokctl wrote down."""
    script = ["-c", 'echo "$GIVEN $OWN"; exec sleep 60']
    listed = [
        {"name": name, "binary": SHELL, "args": script, "envs": [{"name": "OWN", "value": name}]} for name in PROCESSES
    ]
    files.kwokctl.write_text(yaml.safe_dump({"kind": "KwokctlConfiguration", "components": listed}))
    for name in PROCESSES:
        processes.start(files, name, Path(SHELL), script, environment=dict(os.environ))
    yield files
    await processes.end(processes.everything(files))


async def test_a_process_that_is_replaced_has_not_died(cluster: ClusterFiles) -> None:
    before = processes.recorded(cluster)
    gateway = Memory()
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}}
    await gateway.create(LEASES, lease, namespace="kube-system")
    environment = {**os.environ, "GIVEN": "given"}
    async with unless_dead(cluster, os.environ) as replaced:
        await replace_process(cluster, NAME, gateway, environment=environment, replaced=replaced)
        after = processes.recorded(cluster)
        assert after.pop(NAME) != before[NAME]
        assert after == {name: number for name, number in before.items() if name != NAME}
        while replaced:  # noqa: ASYNC110 - nobody tells when it is watched again
            await asyncio.sleep(0.01)
    assert processes.running(cluster).keys() == set(PROCESSES)
    assert await gateway.list(LEASES, namespace="kube-system") == []
    # The next one may not die, though.
    asyncio.get_running_loop().call_soon(os.kill, processes.recorded(cluster)[NAME], signal.SIGKILL)
    with pytest.raises(ProcessDied) as raised:
        async with unless_dead(cluster, os.environ), asyncio.timeout(20):
            await asyncio.get_running_loop().create_future()
    assert raised.value.name == NAME
    assert f"given {NAME}" in cluster.log(NAME).read_text().splitlines()


async def test_a_process_that_did_not_wait_long_enough_for_the_api_server_is_started_again(
    cluster: ClusterFiles,
) -> None:
    before = processes.recorded(cluster)
    while not cluster.log(NAME).read_text():  # noqa: ASYNC110 - what it says at its start must not come later
        await asyncio.sleep(0.01)
    cluster.log(NAME).write_text('"command failed" err="failed to wait for apiserver being healthy: timed out"\n')
    async with unless_dead(cluster, os.environ), asyncio.timeout(20):
        os.kill(before[NAME], signal.SIGKILL)
        while processes.recorded(cluster)[NAME] == before[NAME]:  # noqa: ASYNC110 - as kwokctl, it tells nobody
            await asyncio.sleep(0.01)
    after = processes.running(cluster)
    assert after.pop(NAME) != before[NAME]
    assert after == {name: number for name, number in before.items() if name != NAME}


async def test_the_collector_is_waited_for_until_it_knows_all_kinds() -> None:
    gateway = Memory()
    definitions = [
        {
            "spec": {
                "group": "example.com",
                "names": {"kind": kind},
                "versions": [{"name": "v0", "served": False}, {"name": "v1", "served": True}],
            }
        }
        for kind in ("Gizmo", "Widget")
    ]
    waiting = asyncio.create_task(until_collected(gateway, definitions))
    async for event in gateway.watch(CONFIG_MAPS, namespace="kube-system"):
        if event.change is Change.ADDED and not event.synced:
            orphan = event.object["metadata"]
            break
    owners = [(one["apiVersion"], one["kind"]) for one in orphan["ownerReferences"]]
    assert owners == [("example.com/v1", "Gizmo"), ("example.com/v1", "Widget")]
    assert len({one["uid"] for one in orphan["ownerReferences"]}) == 2
    assert not waiting.done()
    await gateway.delete(CONFIG_MAPS, orphan["name"], namespace="kube-system")
    async with asyncio.timeout(20):
        await waiting
