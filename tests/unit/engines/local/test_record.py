"""The record of a cluster."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import Any

import pytest

from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.record import Record
from knavtool.errors import EngineError
from knavtool.settings.settings import Settings

FULL = Record(
    feature_gates="A=true",
    runtime_config="a/v1=true",
    tuning="none",
    audit_log="on",
    settings={"kueue": {"fields": {"a": 1}, "args": {"kueue": {"v": None}}}},
    ports={"etcd/http": 1},
    versions={"etcd": "1.2.3"},
    contexts={"/k": "mine"},
    components={"kwok": "v0.8.0", "jobset": "v0.11.0"},
    unfinished={"jobset": "v0.11.0"},
    created=True,
)


def test_no_record_is_no_cluster(files: ClusterFiles) -> None:
    assert record.load(files) is None


@pytest.mark.parametrize("known", [FULL, Record()], ids=["full", "empty"])
def test_what_is_saved_is_loaded(files: ClusterFiles, known: Record) -> None:
    record.save(files, FULL)
    record.save(files, known)
    assert record.load(files) == known
    assert stat.S_IMODE(files.record.stat().st_mode) == 0o600
    assert [path.name for path in files.directory.iterdir()] == [files.record.name]


DAMAGED = ["", "{", "[]", "{}", "null", "[1]", '{"components": 1}', '{"new": 1}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_tells_how_to_go_on(files: ClusterFiles, text: str) -> None:
    files.record.write_text(text)
    with pytest.raises(EngineError, match="cannot be read") as raised:
        record.load(files)
    assert "knavtool cluster down --name test" in raised.value.hint


def test_a_cluster_made_before_there_was_an_audit_log_has_none(files: ClusterFiles) -> None:
    record.save(files, FULL)
    content = json.loads(files.record.read_text())
    del content["audit_log"]
    files.record.write_text(json.dumps(content))
    assert record.load(files) == replace(FULL, audit_log="off")


def test_a_cluster_made_before_there_were_settings_has_none(files: ClusterFiles) -> None:
    record.save(files, FULL)
    content = json.loads(files.record.read_text())
    del content["settings"]
    files.record.write_text(json.dumps(content))
    found = record.load(files)
    assert found is not None
    assert found.settled == {}
    assert FULL.settled == {"kueue": Settings(fields={"a": 1}, args={"kueue": {"v": None}})}


@pytest.mark.parametrize(
    "change",
    [{"components": ["kwok"]}, {"ports": None}, {"created": "yes"}, {"new": 1}, {"settings": {"kueue": {"x": 1}}}],
)
def test_a_record_of_another_version_is_told_too(files: ClusterFiles, change: dict[str, Any]) -> None:
    record.save(files, FULL)
    files.record.write_text(json.dumps({**json.loads(files.record.read_text()), **change}))
    with pytest.raises(EngineError, match=next(iter(change)).replace("settings", "Settings.*x")):
        record.load(files)
