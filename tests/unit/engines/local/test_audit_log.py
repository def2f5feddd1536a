"""Reading the audit log while it is written, rotated, cut and damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.engines.local.audit_log import AuditLog
from knavtool.engines.local.control_plane.audit import POLICY, audit_args
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.recording.moments import Request


def event(name: str = "p", **changed: Any) -> dict[str, Any]:
    """As kube-apiserver writes one."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": "create",
        "userAgent": "kube-scheduler/v1.37.2 (linux/amd64) kubernetes/abc/scheduler",
        "objectRef": {"resource": "pods", "namespace": "a", "name": name, "apiVersion": "v1", "subresource": "binding"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000001Z",
        "stageTimestamp": "2026-01-02T03:04:05.500000Z",
        **changed,
    }


def line(name: str = "p", **changed: Any) -> bytes:
    return json.dumps(event(name, **changed)).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    path.write_bytes(line("old"))
    return path


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    log = AuditLog(path)
    yield log
    log.close()


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def names(log: AuditLog) -> list[str]:
    return [one.name for one in log.read()]


def test_what_a_request_is(path: Path, log: AuditLog) -> None:
    add(path, line())
    assert log.read() == [
        Request(
            time=1767323045.5,
            received=1767323045.000001,
            agent="kube-scheduler",
            verb="create",
            resource="pods/binding",
            namespace="a",
            name="p",
            uid="",
            code=201,
        )
    ]
    assert log.read() == []


def test_the_answer_names_a_pod_that_was_created(path: Path, log: AuditLog) -> None:
    made = {"metadata": {"name": "p-x1", "uid": "u1"}}
    about = {"resource": "pods", "namespace": "a", "apiVersion": "v1"}
    add(path, line(objectRef=about, responseObject=made))
    (one,) = log.read()
    assert (one.resource, one.name, one.uid) == ("pods", "p-x1", "u1")


def test_an_answer_that_is_an_error_or_of_no_object(path: Path, log: AuditLog) -> None:
    add(path, line(objectRef=None) + line("b", responseObject={"kind": "Status"}, userAgent="curl 8"))
    (one,) = log.read()
    assert (one.name, one.uid, one.agent) == ("b", "", "curl")
    assert log.trouble == ""


def test_what_was_there_before_is_not_read_and_half_a_line_waits(path: Path, log: AuditLog) -> None:
    text = line("a") + line("b")
    add(path, text[:-5])
    assert names(log) == ["a"]
    add(path, text[-5:])
    assert names(log) == ["b"]


def test_a_line_that_had_begun_before_is_no_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(line("a")[:40])
    log = AuditLog(path)
    add(path, line("a")[40:] + line("b"))
    assert names(log) == ["b"]
    assert log.trouble == ""
    log.close()


def test_a_log_that_is_rotated_goes_on_in_the_next_file(path: Path, log: AuditLog, tmp_path: Path) -> None:
    add(path, line("a"))
    assert names(log) == ["a"]
    add(path, line("b"))
    path.rename(tmp_path / "audit-1.log")
    assert names(log) == ["b"]
    add(tmp_path / "audit-1.log", line("c"))
    path.write_bytes(line("d"))
    assert names(log) == ["c", "d"]
    path.rename(tmp_path / "audit-2.log")
    path.write_bytes(line("e"))
    assert names(log) == ["e"]
    assert log.trouble == ""


def test_a_log_that_became_shorter_is_read_from_its_beginning(path: Path, log: AuditLog) -> None:
    add(path, line("a"))
    assert names(log) == ["a"]
    path.write_bytes(line("b"))
    assert names(log) == ["b"]
    assert "became shorter" in log.trouble


@pytest.mark.parametrize(
    "broken", [b"{\n", b"\n", b"[]\n", b"1\n", b"\xff\xfe\n", b'{"objectRef": 1}\n', line(stageTimestamp="now")]
)
def test_broken_lines_are_counted_and_told_once(path: Path, log: AuditLog, broken: bytes) -> None:
    add(path, broken + line("a") + broken)
    assert names(log) == ["a"]
    assert log.broken == 2
    assert "no event of an audit log" in log.trouble


def test_a_line_without_an_end_is_given_up(path: Path, log: AuditLog) -> None:
    add(path, b"x" * (17 << 20) + b"\n" + line("a"))
    assert names(log) == ["a"]
    assert log.broken == 1


def test_a_log_that_cannot_be_read_any_more(path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "pread", fail)
    assert log.read() == []
    assert "cannot be read any more: Input/output error" in log.trouble
    log.close()
    assert log.read() == []


def test_the_policy_names_no_secret_and_is_written_for_its_owner(files: ClusterFiles) -> None:
    args = audit_args(files)
    assert json.loads(Path(args["audit-policy-file"]).read_text()) == POLICY
    assert files.audit_policy.stat().st_mode & 0o777 == 0o600
    full = [rule for rule in POLICY["rules"] if rule["level"] not in ("None", "Metadata")]
    assert [(rule["verbs"], rule["resources"]) for rule in full] == [
        (["create"], [{"group": "", "resources": ["pods"]}])
    ]
