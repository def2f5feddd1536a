"""What `cluster status` says of each process."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from knavtool.catalogue.catalogue import Catalogue
from knavtool.engines.local import status
from knavtool.engines.local.components.component_processes import port_uses
from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.processes import processes, supervisor
from knavtool.engines.local.processes.supervisor import Exit, State
from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.ports import Ports
from knavtool.engines.local.state.record import Record
from knavtool.errors import EngineError

CATALOGUE = Catalogue.load({"XDG_CONFIG_HOME": "/nowhere"})
COMPONENTS = CATALOGUE.ordered({"kwok": "", "jobset": "v0.10.0", "volcano": "", "device-classes": ""})
HOSTED = [process.name for one in COMPONENTS for process in one.processes]


@pytest.fixture
def known(files: ClusterFiles, monkeypatch: pytest.MonkeyPatch) -> Record:
    """A cluster of which only jobset runs, and that does not answer; it is this very process."""
    with Ports() as ports:
        uses = [*kwokctl.choose_ports(None, ports), *port_uses(COMPONENTS)]
    made = Record(
        ports={use: 40000 + number for number, use in enumerate(uses)},
        versions={"etcd": "3.6.0"},
        components={one.name: one.version for one in COMPONENTS},
        created=True,
    )
    record.save(files, made)
    kept_ = {
        "jobset": State(child=os.getpid(), keeper=1, since=0.0, restarts=3, last_exit=Exit(code=-9, at=0.0)),
        "kwok": State(child=None, keeper=None, since=0.0, restarts=0, last_exit=Exit(code=1, at=0.0)),
    }

    async def deaf(url: str, *, within: float) -> str:
        assert url.startswith("http://127.0.0.1:")
        return f"does not answer within {within:g} s"

    monkeypatch.setattr(processes, "running", lambda _: {"jobset": os.getpid()})
    monkeypatch.setattr(supervisor, "states", lambda _: kept_)
    monkeypatch.setattr(status, "lasting_answer", deaf)
    return made


async def test_every_process_is_a_row(files: ClusterFiles, known: Record) -> None:
    rows = {row.component: row for row in await status.status(files, CATALOGUE)}
    assert list(rows) == [*PROCESSES, *HOSTED]
    assert rows["etcd"].version == "3.6.0"
    assert rows["jobset"].version == "v0.10.0"
    assert len({row.version for name, row in rows.items() if name.startswith("volcano-")}) == 1
    for name, row in rows.items():
        assert row.endpoint.rpartition(":")[2].isdigit()
        assert row.log == str(files.log(name))
        assert row.state == ("unhealthy" if name == "jobset" else "dead")
        assert row.reason.endswith(" does not answer within 5 s" if name == "jobset" else "no such process")
    assert rows["jobset"].reason.startswith(f"{rows['jobset'].endpoint}/")
    jobset, kwok, etcd = rows["jobset"], rows["kwok"], rows["etcd"]
    assert (jobset.pid, jobset.restarts, jobset.last_exit) == (os.getpid(), 3, "signal 9 (Killed)")
    assert jobset.memory is not None
    assert jobset.memory > 0
    assert (kwok.pid, kwok.memory, kwok.restarts, kwok.last_exit) == (None, None, 0, "exit code 1")
    # Nobody keeps the control plane.
    assert (etcd.pid, etcd.memory, etcd.restarts, etcd.last_exit) == (None, None, 0, "")


async def test_there_is_no_cluster(files: ClusterFiles) -> None:
    with pytest.raises(EngineError, match="there is no cluster test"):
        await status.status(files, CATALOGUE)
    status.require_finished(files, CATALOGUE)


def test_an_up_that_did_not_come_to_its_end(files: ClusterFiles, known: Record) -> None:
    status.require_finished(files, CATALOGUE)
    record.save(files, replace(known, unfinished={"jobset": "v0.10.0", "device-classes": "v1.0.0"}))
    with pytest.raises(EngineError, match=r"did not finish: jobset, device-classes$") as raised:
        status.require_finished(files, CATALOGUE)
    assert "knavtool cluster up --name test" in raised.value.hint
    record.save(files, replace(known, created=False))
    with pytest.raises(EngineError, match=r"did not finish$"):
        status.require_finished(files, CATALOGUE)


async def test_a_component_whose_record_was_removed_from_the_catalogue_is_still_known(
    files: ClusterFiles, known: Record
) -> None:
    """What runs is described by what it was installed with."""
    without = replace(CATALOGUE, files={name: file for name, file in CATALOGUE.files.items() if name != "jobset"})
    rows = {row.component: row for row in await status.status(files, without)}
    assert rows.keys() == {*PROCESSES, *HOSTED} - {"jobset"}
    with pytest.raises(EngineError, match="cluster test has jobset, of which there is no record any more") as raised:
        status.require_finished(files, without)
    assert "jobset.yaml" in raised.value.hint

    files.component_records.mkdir()
    files.component_record("jobset").write_text(json.dumps(CATALOGUE.record("jobset")))
    rows = {row.component: row for row in await status.status(files, without)}
    assert list(rows) == [*PROCESSES, *HOSTED]
    assert (rows["jobset"].version, rows["jobset"].state) == ("v0.10.0", "unhealthy")
    status.require_finished(files, without)
