"""The catalogue on the command line, and what `cluster up --with` refuses before it begins."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from knavtool.documents.schema import violations
from knavtool.documents.yaml import load
from support import golden
from support.control_plane import LocalCluster

Cli = Callable[..., CompletedProcess[str]]
SHIPPED = {"kwok", "prometheus", "stages", "jobset", "kueue", "volcano", "coscheduling", "native-gang"}


@pytest.fixture
def records(own: LocalCluster) -> Path:
    """Where the user of the cluster keeps records."""
    made = own.root / ".config" / "knavtool" / "components"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def user(own: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    """The user of the cluster, whose configuration is in the home directory."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own.root / ".config"))
    return own


def write(records: Path, name: str, **fields: Any) -> Path:
    record = {
        "name": name,
        "title": name.title(),
        "description": "Made for a test.",
        "version": "v1.0.0",
        "faces": {"manifest": {"overrides": ["device-classes/gpu.yaml"]}},
        **fields,
    }
    file = records / f"{name}.yaml"
    file.write_text(yaml.safe_dump(record, sort_keys=False))
    return file


def nothing_started(cluster: LocalCluster) -> None:
    assert cluster.processes() == {}
    assert not cluster.files.directory.exists()
    assert not cluster.kubeconfig.exists()


def test_components_are_listed(knavtool: Cli) -> None:
    rows = json.loads(knavtool("components", "list", "-o", "json").stdout)
    found = {row["name"]: row for row in rows}
    assert found.keys() >= SHIPPED
    assert list(found) == sorted(found)
    kwok = found["kwok"]
    assert (kwok["role"], kwok["needs"], kwok["title"]) == ("nodes", ["stages"], "KWOK")
    assert kwok["engines"] == ["local", "existing"]
    assert kwok["faces"] == ["manifest", "process"]
    assert found["native-gang"]["faces"] == ["controlPlane"]
    assert found["kube-prometheus-stack"]["engines"] == ["existing"]
    assert yaml.safe_load(knavtool("components", "list", "-o", "yaml").stdout) == rows
    table = knavtool("components", "list").stdout.splitlines()
    assert table[0].split() == ["NAME", "VERSION", "ENGINES", "FACES", "ROLE", "NEEDS", "TITLE"]
    assert [line.split()[0] for line in table[1:]] == list(found)


def test_versions_that_are_known_to_work_are_listed(user: LocalCluster, records: Path) -> None:
    write(records, "mine", versions=[{"range": "v0.9.0"}, {"range": "<v0.5.0"}])
    write(records, "yours", follows="mine")
    rows = json.loads(user.cli("components", "list", "--versions", "-o", "json").stdout)
    found = {(row["name"], row["version"]): row["default"] for row in rows}
    for name in "mine", "yours":
        assert {version: found[name, version] for one, version in found if one == name} == {
            "v1.0.0": True,
            "v0.9.0": False,
        }
    assert sum(found["kubernetes", version] for one, version in found if one == "kubernetes") == 1
    assert {version for one, version in found if one == "native-gang"} == {
        version for one, version in found if one == "kubernetes"
    }
    assert len({version for one, version in found if one == "kueue"}) >= 1


def test_a_component_is_shown_with_the_file_of_its_record(knavtool: Cli) -> None:
    shown = yaml.safe_load(knavtool("components", "show", "jobset").stdout)
    assert shown["engines"] == ["local", "existing"]
    assert shown["record"] == yaml.safe_load(Path(shown["file"]).read_text())
    assert shown["record"]["version"].startswith("v")
    assert json.loads(knavtool("components", "show", "jobset", "-o", "json").stdout) == shown
    done = knavtool("components", "show", "jobste", check=2)
    assert done.stderr.splitlines() == [
        "error: no component 'jobste' in the catalogue",
        "try: did you mean jobset?",
    ]
    knavtool("components", "show", "jobset", "-o", "table", check=2)


def test_what_is_shown_is_a_record_to_begin_with(user: LocalCluster, records: Path) -> None:
    shown = yaml.safe_load(user.cli("components", "show", "kueue").stdout)
    file = write(records, **{**shown["record"], "version": "v0.15.1"})
    assert violations(load(file), "component") == []
    again = yaml.safe_load(user.cli("components", "show", "kueue").stdout)
    assert (again["file"], again["record"]["version"]) == (str(file), "v0.15.1")
    assert "start kueue v0.15.1 on 127.0.0.1" in user.up("--with", "kueue", "--dry-run").stdout


def test_records_of_the_user_are_listed_and_their_faults_told(user: LocalCluster, records: Path) -> None:
    write(records, "mine", needs=["jobset"])
    rows = json.loads(user.cli("components", "list", "-o", "json").stdout)
    assert [row["needs"] for row in rows if row["name"] == "mine"] == [["jobset"]]
    file = write(records, "bad", version="new", needs="kwok")
    for command in (["list"], ["show", "bad"]):
        done = user.cli("components", *command, check=2)
        assert f"{file}:4:1: version: " in done.stderr
        assert f"{file}:9:1: needs: expected a list" in done.stderr
    done = user.up("--with", "bad", check=2)
    assert f"{file}:4:1: version: " in done.stderr
    nothing_started(user)


def test_the_schema_of_records_is_printed(knavtool: Cli) -> None:
    assert json.loads(knavtool("schema", "component").stdout)["title"] == "A component of a cluster"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--with", "jobste"], "no component 'jobste' in the catalogue\ntry: did you mean jobset?"),
        (["--without", "kueu"], "no component 'kueu' in the catalogue\ntry: did you mean kueue?"),
        (["--with", "zzz"], "no component 'zzz' in the catalogue\ntry: known are "),
        (["--with", "jobset=v0.10.0,jobset=v0.11.0"], "--with names jobset at two versions, v0.10.0 and v0.11.0"),
        (["--with", "jobset=v0.10.0", "--with", "kueue,jobset=v0.9.0"], "--with names jobset at two versions"),
        (["--with", "jobset=latest"], "--with jobset=latest is not of the form NAME or NAME=VERSION"),
        (["--with", "=v1.0.0"], "--with =v1.0.0 is not of the form"),
        (["--with", "kueue", "--without", "kueue"], "kueue is named by --with and by --without"),
        (["--with", "coscheduling", "--without", "scheduler-plugins"], "coscheduling needs it"),
        (["--with", "kube-prometheus-stack"], "kube-prometheus-stack cannot run beside a local cluster"),
        (
            ["--with", "native-gang", "--feature-gates", "GenericWorkload=false"],
            "--feature-gates GenericWorkload=false contradicts native-gang, which needs GenericWorkload=true",
        ),
    ],
    ids=" ".join,
)
def test_what_cannot_be_wanted(own: LocalCluster, options: list[str], said: str) -> None:
    done = own.up(*options, check=2)
    assert said in done.stderr
    nothing_started(own)


def test_components_that_need_each_other(user: LocalCluster, records: Path) -> None:
    write(records, "a", needs=["b"])
    write(records, "b", needs=["c"])
    write(records, "c", needs=["a"])
    done = user.up("--with", "b", check=2)
    assert "these components need each other: b > c > a > b" in done.stderr
    nothing_started(user)


def test_a_need_that_is_not_there(user: LocalCluster, records: Path) -> None:
    write(records, "a", needs=["kwokk"])
    done = user.up("--with", "a", check=2)
    assert "no component 'kwokk' in the catalogue, which a needs\ntry: did you mean kwok?" in done.stderr
    nothing_started(user)


@pytest.mark.cluster
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["up", "dry run"])
def test_a_version_that_does_not_exist(own: LocalCluster, options: list[str]) -> None:
    done = own.up("--with", "jobset=v99.0.0", *options, check=0 if options else 4)
    if options:
        assert "start jobset v99.0.0 on 127.0.0.1" in done.stdout
    else:
        assert "v99.0.0" in done.stderr
        assert "sigs.k8s.io/jobset@v99.0.0" in done.stderr
        assert "Traceback" not in done.stderr
        assert "tear-down" not in done.stderr
    nothing_started(own)


def test_a_dry_run_names_what_components_bring(own: LocalCluster) -> None:
    done = own.up("--dry-run", "--with", "kueue,jobset=v0.10.0", "--with", "native-gang", prometheus=True)
    golden.check("cluster/up.txt", done.stdout.replace(str(own.root), "HOME").replace(own.name, "NAME"))
    nothing_started(own)


@pytest.mark.cluster
def test_the_api_server_s_port_is_taken(own: LocalCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = own.up("--with", "jobset", "--port", str(port), check=4)
    assert f"port {port} for the API server is taken" in done.stderr
    nothing_started(own)
