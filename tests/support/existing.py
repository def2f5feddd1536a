"""A local control plane that plays a cluster of somebody else."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import orjson
import yaml

from knavtool.kube.client import Client
from knavtool.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    NODES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Manifest,
    Resource,
)
from knavtool.kube.waiting import until
from support import kubeconfigs
from support.chart_repository import packed, publish, write_chart
from support.cli import run_cli
from support.control_plane import LocalCluster
from support.programs import program
from support.releases import Host, Served

CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
NODE = "real-0"
"""The real node of the cluster."""
_NAMESPACES = frozenset({"gadget", "widget", "theirs", "knavtool"})
"""Those that tests use."""


async def _delete(client: Client, *, resource: Resource) -> None:
    await client.delete(resource, "stranger")


class Existing:
    """A cluster that exists, a chart repository, and the records of a user."""

    def __init__(self, plane: LocalCluster, directory: Path, host: Host) -> None:
        self.plane = plane
        self.host = host
        self.directory = directory
        self.records = directory / "config" / "knavtool" / "components"
        self.records.mkdir(parents=True)
        # KWOK plays the nodes already, so that the component of that role needs no more than an object.
        stand_in = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kwok", "namespace": "default"}}
        self.manifest("kwok", stand_in, role="nodes")

    @property
    def environment(self) -> dict[str, str]:
        """That of the user of the cluster; the host of the test stands for all others."""
        return {
            **self.plane.environment,
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "KNAVTOOL_HELM_BINARY": str(program("helm")),
            "KNAVTOOL_KUBECTL_BINARY": str(program("kubectl")),
            "KNAVTOOL_MIRROR": self.host.url,
        }

    def cli(self, *args: str | Path, **more: Any) -> CompletedProcess[str]:
        """A command of `knavtool cluster`; `env` is added to the environment."""
        environment = {**self.environment, **more.pop("env", {})}
        return run_cli("cluster", args[0], "--engine", "existing", *args[1:], env=environment, **more)

    def up(self, *args: str | Path, **more: Any) -> CompletedProcess[str]:
        return self.cli("up", "--no-prometheus", "--yes", "--timeout", "40s", *args, **more)

    def down(self, *args: str | Path, **more: Any) -> CompletedProcess[str]:
        return self.cli("down", "--timeout", "60s", *args, **more)

    def record(self, name: str, faces: dict[str, Any], **more: Any) -> None:
        """A record of the user."""
        record = {"name": name, "title": name, "description": "Made by a test.", "version": "1.0.0", "faces": faces}
        (self.records / f"{name}.yaml").write_text(yaml.safe_dump({**record, **more}))

    def chart(self, *templates: dict[str, Any], digest: str = "", crds: tuple[dict[str, Any], ...] = ()) -> str:
        """Publish a chart as component `gadget`; returns the archive's sum."""
        number = len(list(self.directory.glob("chart-*")))
        archive = packed(write_chart(self.directory / f"chart-{number}", *templates, crds=crds))
        face = {
            "repository": "https://charts.example/stable",
            "name": "gadget",
            "version": "1.0.0",
            "namespace": "gadget",
        }
        self.record("gadget", {"chart": {**face, **({"digest": digest} if digest else {})}})
        return publish(self.host, archive)

    def manifest(self, name: str, *objects: dict[str, Any], **more: Any) -> None:
        """Publish objects as a component."""
        text = yaml.safe_dump_all(objects).encode()
        digest = hashlib.sha256(text).hexdigest()
        path = f"/manifests/{digest}.yaml"
        self.host.files[f"/manifests.example{path}"] = Served(text)
        release = {"url": f"https://manifests.example{path}", "sha256": digest}
        self.record(name, {"manifest": {"objects": {"release": release}}}, source={"module": "example.org/x"}, **more)

    def ask(self, question: Any) -> Any:
        return self.plane.ask(question)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Manifest:
        async def get(client: Client) -> Manifest:
            return await client.get(resource, name, namespace=namespace)

        return self.ask(get)  # type: ignore[no-any-return]

    def names(self, resource: Resource, namespace: str | None = None, **more: str) -> list[str]:
        async def names(client: Client) -> list[str]:
            return [item["metadata"]["name"] for item in await client.list(resource, namespace=namespace, **more)]

        return self.ask(names)  # type: ignore[no-any-return]

    def create(self, resource: Resource, body: dict[str, Any], namespace: str | None = None) -> None:
        async def create(client: Client) -> None:
            await client.create(resource, body, namespace=namespace)

        self.ask(create)

    def node(self, name: str, **labels: str) -> None:
        """A node that KWOK plays, with the label that every kubelet puts on its own."""
        labels = {"kubernetes.io/hostname": name, **labels}
        self.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})

    def helm_install(self, chart: Path) -> None:
        """What somebody else does: an installation with a hook that does not end, given up at once."""
        command = [program("helm"), "install", "gadget", chart, "--namespace", "gadget", "--create-namespace"]
        options = ["--timeout", "1h", "--kubeconfig", self.plane.kubeconfig]
        process = subprocess.Popen([str(word) for word in [*command, *options]], stdout=subprocess.DEVNULL)

        async def wait(client: Client) -> None:
            await until(client, SECRETS, lambda seen: bool(seen) or None, timeout=60, namespace="gadget")

        self.ask(wait)
        process.kill()
        process.wait()

    @contextmanager
    def stranger(self) -> Iterator[Path]:
        """The kubeconfig of an account that may do nothing."""

        async def make(client: Client) -> str:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}
            await client.create(SERVICE_ACCOUNTS, account, namespace="default")
            path = SERVICE_ACCOUNTS.path("default", "stranger", "token")
            body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
            answer = await client.transport.request("POST", path, "ask for a token", body=body)
            return str(answer["status"]["token"])

        token = self.ask(make)
        authority = self.plane.files.pki / "ca.crt"
        path = self.directory / "stranger"
        try:
            yield kubeconfigs.write(path, self.plane.server, authority=authority, token=token)
        finally:
            self.ask(lambda client: client.delete(SERVICE_ACCOUNTS, "stranger", namespace="default"))
            for resource in (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES):
                self.ask(partial(_delete, resource=resource))

    def grant(self, rights: Iterable[tuple[str, str]]) -> None:
        """Give the stranger rights: (verb, `deployments.apps`)."""
        rules = []
        for verb, what in rights:
            plural, _, group = what.partition(".")
            rules.append({"apiGroups": [group], "resources": [plural], "verbs": [verb]})
        subject = {"kind": "ServiceAccount", "namespace": "default", "name": "stranger"}
        role = {"apiGroup": CLUSTER_ROLES.group, "kind": CLUSTER_ROLES.kind, "name": "stranger"}
        self.create(CLUSTER_ROLES, {"metadata": {"name": "stranger"}, "rules": rules})
        self.create(CLUSTER_ROLE_BINDINGS, {"metadata": {"name": "stranger"}, "subjects": [subject], "roleRef": role})

    def revisions(self) -> list[tuple[str, str]]:
        """Status and version of each revision of the release."""

        async def look(client: Client) -> list[tuple[str, str]]:
            found = await client.list(SECRETS, namespace="gadget", label_selector="owner=helm")
            labels = [item["metadata"]["labels"] for item in found]
            return sorted((one["version"], one["status"]) for one in labels)

        return self.ask(look)  # type: ignore[no-any-return]

    def clean(self) -> None:
        """Leave the control plane as it was, whatever the test did."""

        async def begin(client: Client) -> None:
            # Each takes the controller manager five seconds, so all at once.
            for namespace in _NAMESPACES - {"knavtool"}:
                await client.delete(NAMESPACES, namespace)

        self.ask(begin)
        self.down(check=None)

        async def clean(client: Client) -> None:
            for namespace in _NAMESPACES:
                await client.delete(NAMESPACES, namespace)
            for item in await client.list(CUSTOM_RESOURCE_DEFINITIONS):
                if item["spec"]["group"] == "tests.knavtool.example":
                    await client.delete(CUSTOM_RESOURCE_DEFINITIONS, item["metadata"]["name"])
            await client.delete(CONFIG_MAPS, "kwok", namespace="default")
            await until(
                client, NAMESPACES, lambda seen: None if _NAMESPACES & {name for _, name in seen} else True, timeout=60
            )
            for node in await client.list(NODES):
                await client.delete(NODES, node["metadata"]["name"])

        self.ask(clean)
