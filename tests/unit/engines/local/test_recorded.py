"""What a recording takes from a local cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.subjects import subject
from knavtool.engines.local.audit_log import AuditLog
from knavtool.engines.local.processes import processes
from knavtool.engines.local.recorded import Numbers, components, open_audit_log, settings
from knavtool.engines.local.state import applied, record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.record import Record
from knavtool.settings.settings import Settings


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
