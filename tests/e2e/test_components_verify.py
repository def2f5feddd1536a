"""`knavtool components verify`, with a mirror that stands for all publishers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart_repository import REAL, definition, deployment, hook, packed, publish, write_chart
from support.cli import run_cli
from support.programs import program
from support.releases import Host, Served

pytestmark = pytest.mark.cluster

URL = "https://manifests.example/v1.0.0/manifests.yaml"
HOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "gadget"},
    "webhooks": [{"name": "vgadget.example"}, {"name": "vpod.example"}],
}
GADGET = {"apiVersion": "tests.knavtool.example/v1", "kind": "Gadget", "metadata": {"name": "default"}}


class Publisher:
    """A user with records of their own, and what is published of it."""

    def __init__(self, root: Path) -> None:
        self.host = Host()
        self.root = root
        self.records = root / "config" / "knavtool" / "components"
        self.records.mkdir(parents=True)

    def record(self, **faces: Any) -> None:
        about = {"name": "gadget", "title": "Gadget", "description": "Made by a test.", "version": "1.0.0"}
        (self.records / "gadget.yaml").write_text(yaml.safe_dump({**about, "faces": faces}))

    def chart(self, directory: Path, **face: Any) -> None:
        """Publish a chart that takes the values `affinity` and `size`, with a record that gives them."""
        (directory / "values.yaml").write_text(yaml.safe_dump({"affinity": {}, "size": 1}))
        text = yaml.safe_dump(deployment("controller", affinity="VALUES")).replace(
            "VALUES", "{{ toJson .Values.affinity }}"
        )
        (directory / "templates" / "controller.yaml").write_text(text)
        publish(self.host, packed(directory))
        values = self.root / "gadget-values.yaml"
        values.write_text(yaml.safe_dump({"affinity": REAL}))
        self.record(
            chart={
                "repository": "https://charts.example/stable",
                "name": "gadget",
                "version": "1.0.0",
                "namespace": "gadget",
                "values": [str(values)],
                **face,
            }
        )

    def objects(self, *objects: dict[str, Any], keep: list[str], images: dict[str, str], sum_: str = "") -> None:
        """Publish objects, with a record of what is taken from them."""
        text = yaml.safe_dump_all(objects).encode()
        self.host.files[URL.removeprefix("https:/")] = Served(text)
        release = {"url": URL, "sha256": sum_ or hashlib.sha256(text).hexdigest()}
        process = {
            "name": "gadget",
            "program": "gadget",
            "ports": ["webhook"],
            "args": [],
            "ready": "http://127.0.0.1:${port_webhook}/readyz",
        }
        self.record(
            manifest={"objects": {"release": release, "images": images}},
            process={
                "webhooks": {"port": "gadget/webhook", "keep": keep},
                "certificates": {"names": ["gadget.svc"]},
                "processes": [process],
            },
        )

    def verify(self, *args: str, check: int = 0, **environment: str) -> dict[str, tuple[str, str]]:
        """Result and reason by what was looked at."""
        env = {
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "KNAVTOOL_MIRROR": self.host.url,
            "KNAVTOOL_HELM_BINARY": str(program("helm")),
            "KNAVTOOL_KUBECTL_BINARY": str(program("kubectl")),
            **environment,
        }
        done = run_cli("components", "verify", "gadget", *args, "-o", "json", env=env, check=check)
        rows = json.loads(done.stdout)
        assert {row["component"] for row in rows} == {"gadget"}
        return {row["what"]: (row["result"], row["reason"]) for row in rows}


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    made = Publisher(tmp_path)
    yield made
    made.host.close()


def test_a_chart_that_is_as_its_record_says(publisher: Publisher) -> None:
    # Hooks are over before anybody could miss them, and charts seldom let them be placed.
    cleanup = hook("cleanup", "post-delete")
    del cleanup["spec"]["template"]["spec"]["affinity"]
    publisher.chart(write_chart(publisher.root / "chart", cleanup))
    found = publisher.verify()
    assert list(found) == [
        "chart gadget 1.0.0",
        f"values {publisher.root}/gadget-values.yaml",
        "objects of the chart",
    ]
    assert {result for result, _ in found.values()} == {"ok"}
    # What was fetched is not asked from a cache the next time.
    del publisher.host.files["/charts.example/stable/gadget-1.0.0.tgz"]
    result, reason = publisher.verify(check=1)["chart gadget 1.0.0"]
    assert result == "wrong"
    assert reason.endswith("/charts.example/stable/gadget-1.0.0.tgz answered 404 Not Found")


def test_a_chart_that_is_another_one(publisher: Publisher) -> None:
    publisher.chart(write_chart(publisher.root / "chart"), digest="0" * 64)
    result, reason = publisher.verify(check=1)["chart gadget 1.0.0"]
    assert (result, "expected sha256 " + "0" * 64 in reason) == ("wrong", True)

    publisher.chart(write_chart(publisher.root / "other", version="1.0.1"))
    assert publisher.verify(check=1)["chart gadget 1.0.0"] == ("wrong", "its Chart.yaml says gadget 1.0.1")

    publisher.chart(write_chart(publisher.root / "newer"), version="1.2.0")
    assert "lists no gadget 1.2.0, but 1.0.0" in publisher.verify(check=1)["chart gadget 1.2.0"][1]


def test_values_that_have_no_effect(publisher: Publisher) -> None:
    publisher.chart(write_chart(publisher.root / "chart"))
    values = publisher.root / "gadget-values.yaml"
    values.write_text(yaml.safe_dump({"afinity": REAL}))
    found = publisher.verify(check=1)
    assert found[f"values {values}"] == ("wrong", "not known: afinity; did you mean 'affinity'?")
    assert found["objects of the chart"] == ("wrong", "Deployment controller is not kept off virtual nodes")


def test_objects_that_are_as_their_record_says(publisher: Publisher) -> None:
    images = {"registry.example/controller": "registry.example/controller:v2"}
    objects = (definition("Gadget", "v1"), GADGET, deployment("controller"), HOOK)
    publisher.objects(*objects, keep=["vgadget.example"], images=images)
    assert publisher.verify() == {
        "release manifests.yaml": ("ok", ""),
        "objects": ("ok", "4 objects"),
        "images": ("ok", "registry.example/controller"),
        "overrides": ("ok", ""),
        "webhooks": ("ok", "1 of 2"),
    }


def test_objects_that_lack_what_their_record_names(publisher: Publisher) -> None:
    images = {"registry.example/kontroller": "registry.example/controller:v2"}
    publisher.objects(GADGET, deployment("controller"), HOOK, keep=["vgadgets.example"], images={**images, "x": "y:v1"})
    found = publisher.verify(check=1)
    assert found["objects"] == ("wrong", "nothing brings Gadget of tests.knavtool.example")
    assert found["images"] == ("wrong", "no container has x")
    assert found["webhooks"] == ("wrong", "there is no vgadgets.example; did you mean 'vgadget.example'?")


def test_a_release_with_another_sum(publisher: Publisher) -> None:
    publisher.objects(GADGET, keep=[], images={}, sum_="0" * 64)
    found = publisher.verify(check=1)
    assert found["release manifests.yaml"][0] == "wrong"
    assert "wrong checksum" in found["release manifests.yaml"][1]
    assert found["objects"][0] == "cannot tell"


@pytest.mark.parametrize(
    "environment",
    [{"KNAVTOOL_OFFLINE": "1"}, {"KNAVTOOL_MIRROR": "http://127.0.0.1:9"}],
    ids=["offline", "unreachable"],
)
def test_where_nobody_answers_nothing_can_be_told(publisher: Publisher, environment: dict[str, str]) -> None:
    publisher.chart(write_chart(publisher.root / "chart"))
    reason = (
        "not allowed by --offline"
        if "KNAVTOOL_OFFLINE" in environment
        else "cannot reach 127.0.0.1:9: Connection refused"
    )
    assert publisher.verify(**environment) == {"chart gadget 1.0.0": ("cannot tell", reason)}
    publisher.objects(GADGET, keep=[], images={})
    found = publisher.verify(**environment)
    assert {result for result, _ in found.values()} == {"cannot tell"}
    assert found["release manifests.yaml"] == ("cannot tell", reason)


def test_a_host_that_fails_says_nothing_of_what_it_has(publisher: Publisher) -> None:
    publisher.chart(write_chart(publisher.root / "chart"))
    publisher.host.files["/charts.example/stable/index.yaml"] = Served(b"", status=503)
    assert publisher.verify()["chart gadget 1.0.0"][0] == "cannot tell"
