"""`cluster save` and `cluster up --from`: another cluster that knows the same."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from knavtool import resources
from knavtool.engines.local.state import record
from knavtool.kube.client import Client
from knavtool.kube.resource import NODES
from support.control_plane import LocalCluster

WORKFLOWS = resources.data_directory() / "workflows"
NODES_FILE = "nodes:\n- {type: dgxa100.80g, count: 3}\n"
# What changes by itself, or says where processes listen.
_LIVES = {"Lease", "Event", "EndpointSlice", "Endpoints", "APIService", "ComponentStatus", "TokenReview"}
_PASSES = ("managedFields", "resourceVersion", "generation")


async def everything(gateway: Client) -> dict[tuple[str, str, str], Any]:
    """All objects of all kinds that can be listed, without what passes."""

    async def asked(path: str) -> Any:
        return await gateway._transport.request("GET", path, f"get {path}")

    found = {}
    groups = await asked("/apis")
    versions = ["/api/v1", *(f"/apis/{one['preferredVersion']['groupVersion']}" for one in groups["groups"])]
    for version in versions:
        for one in (await asked(version))["resources"]:
            if "list" not in one["verbs"] or "/" in one["name"] or one["kind"] in _LIVES:
                continue
            name = version.removeprefix("/apis/").removeprefix("/api/")
            resource = await gateway.discover(name, one["kind"])
            async for page in gateway.pages(resource):
                for item in page:
                    metadata = item["metadata"]
                    for passing in _PASSES:
                        metadata.pop(passing, None)
                    item.pop("status", None)
                    found[one["kind"], metadata.get("namespace", ""), metadata["name"]] = item
    return found


def without_ports(objects: dict[tuple[str, str, str], Any], ports: dict[str, int]) -> dict[tuple[str, str, str], str]:
    """The objects as text, with the names of ports in place of their numbers."""
    texts = {}
    for key, one in objects.items():
        text = json.dumps(one, sort_keys=True)
        for use, port in ports.items():
            text = text.replace(f"127.0.0.1:{port}", use).replace(f": {port}", f": {use}")
        texts[key] = text
    return texts


def ports_of(cluster: LocalCluster) -> dict[str, int]:
    known = record.load(cluster.files)
    assert known is not None
    return dict(known.ports)


@pytest.mark.cluster
def test_a_cluster_from_another_one(own: LocalCluster, tmp_path: Path) -> None:
    own.up("--with", "kueue", timeout=180)
    values = tmp_path / "values.yaml"
    values.write_text(NODES_FILE)
    own.cli("nodes", "apply", "-f", values)
    file = tmp_path / "own.saved"
    pids = own.pids()
    said = own.cli("cluster", "save", own.name, file).stderr
    assert said.startswith(f"saved: {file}, ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert own.pids() == pids
    before = own.ask(everything)

    other = LocalCluster(root=own.root, name="other", caches=own.caches)
    try:
        # Both at once: the other one has other ports, and its objects say so.
        own.cli("cluster", "up", "--from", file, "--name", "other", timeout=180)
        assert not set(ports_of(other).values()) & set(ports_of(own).values())
        after = other.ask(everything)
        assert without_ports(after, ports_of(other)) == without_ports(before, ports_of(own))
        other.cli("--context", other.context, "run", WORKFLOWS / "kueue" / "test-quota.yml", "--cleanup", timeout=180)
        assert own.ask(lambda gateway: gateway.list(NODES))
        said = own.cli("cluster", "up", "--from", file, "--name", "other", check=2).stderr
        assert "cluster other exists; --from starts a new one" in said
        # It is a cluster like any other.
        assert "nothing to do" in other.cli("cluster", "up", "--name", "other", "--no-prometheus").stdout
        other.cli(
            "cluster", "up", "--name", "other", "--no-prometheus", "--set", "kueue.integrations=batch", timeout=180
        )
    finally:
        other.down()

    # Alone, under the old name: the same ports again.
    ports = ports_of(own)
    own.down()
    own.cli("cluster", "up", "--from", file, timeout=180)
    assert ports_of(own) == ports


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is no cluster that `knavtool cluster save` wrote"),
        (b"nonsense" * 200, "is no cluster that `knavtool cluster save` wrote"),
        ({"x": b"1"}, "is no cluster that `knavtool cluster save` wrote"),
        ({"saved.json": b'{"format": 7, "knavtool": "9.9"}'}, "was written by knavtool 9.9 in format 7"),
        ({"saved.json": b'{"format": 1}'}, "is no cluster that `knavtool cluster save` wrote"),
    ],
)
def test_what_is_no_saved_cluster(
    content: Any, said: str, knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    file = tmp_path / "x.saved"
    if isinstance(content, dict):
        with tarfile.open(file, "w") as archive:
            for name, text in content.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
    elif content is not None:
        file.write_bytes(content)
    assert said in knavtool("cluster", "up", "--from", file, check=2).stderr


def test_options_that_the_file_answers(knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    done = knavtool("cluster", "up", "--from", tmp_path / "x", "--with", "kueue", check=2)
    assert "--with does not go with --from" in done.stderr
    assert "there is no cluster nobody" in knavtool("cluster", "save", "nobody", tmp_path / "x", check=4).stderr
    assert not (tmp_path / "x").exists()
