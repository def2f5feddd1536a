"""What a recording takes from a local cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.subjects import subject
from knavtool.engines.local.audit_log import AuditLog
from knavtool.engines.local.processes import processes
from knavtool.engines.local.recorded import Numbers, components, open_audit_log, settings
from knavtool.engines.local.state import applied, record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.record import Record
from knavtool.settings.settings import Settings

CONFIG = "clientConnection: {qps: 7}\ncontroller: {groupKindConcurrency: {Job.batch: 3}}\n"


def test_only_what_matters_is_a_setting() -> None:
    args = [
        "--kube-api-qps=5000",
        "--v=2",
        "--token-auth-file=/x/tokens",
        "--my-token=abc",
        "--apiToken=abc",
        "--tls-private-key-file=admin.key",
        "--kubeconfig=k",
        "--secure-port=1234",
        "--listen-client-urls=http://127.0.0.1:1",
        "--server=127.0.0.1:1",
        "--web=https://a",
        "--root=/var",
        "--password",
        "hidden",
        "--workers",
        "16",
        "--leader-elect",
        "--feature-gates=A=true,B=false",
        "-verbose",
    ]
    environment = {"GOGC": "800", "API_TOKEN": "abc", "HOME": "/root"}
    assert settings(args, environment) == (
        "kube-api-qps=5000 v=2 workers=16 leader-elect=true feature-gates=A=true,B=false verbose=true GOGC=800"
    )
    assert settings(["--v=1", "--v=2"]) == "v=2"
    assert settings([]) == ""


def test_the_audit_log_or_why_not(files: ClusterFiles) -> None:
    assert open_audit_log(files) == "cluster test keeps no audit log; `cluster up --audit-log on` makes one that does"
    known = Record(audit_log="on")
    record.save(files, known)
    assert open_audit_log(files) == f"{files.audit_log} cannot be read: No such file or directory"
    files.audit_log.write_text("")
    log = open_audit_log(files)
    assert isinstance(log, AuditLog)
    log.close()
    record.save(files, replace(known, audit_log="off"))
    assert open_audit_log(files) == "cluster test keeps no audit log; `cluster up --audit-log on` makes one that does"
    files.record.write_text("{")
    assert "cannot be read" in str(open_audit_log(files))


@pytest.fixture
def sleeper(files: ClusterFiles) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=processes.marked(files, os.environ)
    )


def test_the_numbers_of_processes_follow_their_files(files: ClusterFiles, sleeper: subprocess.Popen[bytes]) -> None:
    try:
        numbers = Numbers(files)
        assert numbers() == {}
        files.pid("a").parent.mkdir()
        files.pid("a").write_text(str(sleeper.pid))
        files.pid("stranger").write_text(str(os.getpid()))
        assert numbers() == {"a": sleeper.pid}
        files.pid("b").write_text(str(sleeper.pid))
        files.pid("a").unlink()
        assert numbers() == {"b": sleeper.pid}
    finally:
        sleeper.communicate(b"\n")


def test_what_users_set_is_recorded_without_secrets(files: ClusterFiles) -> None:
    chosen = Settings(
        config={"deep": {"password": "p", "qps": 5}},
        fields={"auth.apiToken": "abc", "profiles[schedulerName=x].weight": 2},
        args={"kueue": {"v": "--v=3", "tls-private-key-file": "--tls-private-key-file=/x", "w": None}},
        environment={"kueue": {"GOGC": "50", "API_SECRET": "abc", "X": None}},
    )
    applied.save(files, "kueue", chosen)
    files.keeper("kueue").mkdir(parents=True)
    (files.keeper("kueue") / "spec.json").write_text(json.dumps({"name": "kueue", "argv": ["/bin/k"]}))
    (one,) = components(files)
    assert one.changed == (
        "deep.password=..., deep.qps=5, auth.apiToken=..., profiles[schedulerName=x].weight=2, --v=3, "
        "--tls-private-key-file=..., no --w, GOGC=50, API_SECRET=..., no X"
    )


def test_processes_have_the_version_of_their_component(files: ClusterFiles) -> None:
    record.save(files, Record(components={"kueue": "v0.15.0", "other": "v2"}))
    shipped = Catalogue.shipped()
    files.component_records.mkdir()
    files.component_record("kueue").write_text(json.dumps(shipped.record("kueue")))
    files.component_record("other").write_text("{}")
    for name, argv in (("kueue", ["/bin/k", "--v=3"]), ("lost", ["/bin/l"])):
        files.keeper(name).mkdir(parents=True)
        (files.keeper(name) / "spec.json").write_text(json.dumps({"name": name, "argv": argv}))
    files.keeper("broken").mkdir()
    (files.keeper("broken") / "spec.json").write_text("{")
    # What an installation of that version has, which is not what one of ours has.
    stock = subject(shipped.component("kueue", "v0.15.0")).shortcuts["integrations"].values["stock"]
    applied.save(files, "kueue", Settings(config={"integrations": {"frameworks": stock}}))
    found = [(one.name, one.version, one.settings, one.changed) for one in components(files)]
    assert found == [("kueue", "v0.15.0", "v=3", ""), ("lost", "", "", "")]


def installed(files: ClusterFiles, name: str, process: str, *args: str) -> None:
    """A component of the catalogue whose process was started with these arguments."""
    known = record.load(files) or Record()
    record.save(files, replace(known, components={**known.components, name: "v0.0.1"}))
    files.component_records.mkdir(exist_ok=True)
    files.component_record(name).write_text(json.dumps(Catalogue.shipped().record(name)))
    files.keeper(process).mkdir(parents=True)
    (files.keeper(process) / "spec.json").write_text(json.dumps({"name": process, "argv": ["/bin/program", *args]}))


def tunables(files: ClusterFiles, process: str) -> dict[str, tuple[str, str]]:
    """Value and source by name, with what workers work on behind it."""
    (one,) = (one for one in components(files) if one.name == process)
    return {f"{each.name} {each.of}".rstrip(): (each.value, each.source) for each in one.tunables}


def test_the_configuration_that_a_process_reads_says_what_bounds_it(files: ClusterFiles, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    installed(files, "kueue", "kueue", f"--config={config}", "--zap-log-level=2")
    found = tunables(files, "kueue")
    assert found["clientQPS"] == ("7", "configuration")
    assert found["clientBurst"] == ("30", "default")  # that of its version
    assert found["workers Job"] == ("3", "configuration")
    assert found["workers Pod"] == ("1", "default")
    assert found["logLevel"] == ("2", "flag")
    config.write_text("{")
    assert tunables(files, "kueue")["clientQPS"] == ("", "")


def test_an_object_of_the_cluster_may_be_the_configuration(files: ClusterFiles) -> None:
    installed(files, "yunikorn", "yunikorn")
    found = tunables(files, "yunikorn")
    assert found["schedulePeriod"] == ("200ms", "configuration")
    assert found["logLevel"] == ("info", "default")


def test_of_a_process_without_a_record_nothing_is_known(files: ClusterFiles) -> None:
    files.keeper("lost").mkdir(parents=True)
    (files.keeper("lost") / "spec.json").write_text(json.dumps({"name": "lost", "argv": ["/bin/l", "--v=3"]}))
    assert tunables(files, "lost") == {}


def test_the_runtime_is_told_by_the_environment_of_the_process(files: ClusterFiles) -> None:
    installed(files, "volcano", "volcano-scheduler", "--schedule-period=2s")
    assert tunables(files, "volcano-scheduler")["processors"] == ("", "")
    environment = processes.marked(files, os.environ) | {"GOMAXPROCS": "1"}
    environment.pop("GOGC", None)
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        files.pid("volcano-scheduler").parent.mkdir()
        files.pid("volcano-scheduler").write_text(str(process.pid))
        found = tunables(files, "volcano-scheduler")
        files.pid("volcano-scheduler").write_text(str(os.getpid()))
        assert tunables(files, "volcano-scheduler")["GOGC"] == ("", "")
        process.communicate(b"\n")
    assert found["processors"] == ("1", "environment")
    assert found["GOGC"] == ("100", "default")
    assert found["schedulePeriod"] == ("2s", "flag")
    assert found["clientQPS"] == ("2000", "default")


def test_the_control_plane_is_bounded_by_flags_until_it_has_a_configuration(
    files: ClusterFiles, tmp_path: Path
) -> None:
    def started(*args: str) -> None:
        listed = [{"name": "kube-scheduler", "version": "v1", "args": list(args)}]
        files.kwokctl.write_text(yaml.safe_dump({"kind": "KwokctlConfiguration", "components": listed}))

    started("--kube-api-qps=5000")
    found = tunables(files, "kube-scheduler")
    assert found["clientQPS"] == ("5000", "flag")
    assert found["maxBackoff"] == ("10s", "default")
    config = tmp_path / "config.yaml"
    config.write_text("clientConnection: {qps: 5000}\npodMaxBackoffSeconds: 1\n")
    started(f"--config={config}")
    found = tunables(files, "kube-scheduler")
    assert found["clientQPS"] == ("5000", "configuration")
    assert found["clientBurst"] == ("100", "default")
    assert found["maxBackoff"] == ("1s", "configuration")
