"""What a project's objects become when its controllers run as processes beside the cluster instead of inside it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.errors import RenderError
from knavtool.render.manifests import Manifest, ManifestSet

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Kept = Mapping[str, Sequence[Mapping[str, str]]]
    """Match conditions by the name of a webhook."""

_KEPT = {"CustomResourceDefinition", "DeviceClass", "Namespace", "PriorityClass"}
_WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
# The process has the rights of the cluster's administrator, files instead of config maps, and ports of its own.
_LEFT_OUT = {
    "APIService",
    "Certificate",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "DaemonSet",
    "Deployment",
    "FlowSchema",
    "Issuer",
    "Job",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitor",
    "PriorityLevelConfiguration",
    "PrometheusRule",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StatefulSet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookServer:
    """Where webhooks and conversions are served: an origin `https://HOST:PORT`, and its authority, PEM in base64."""

    origin: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """Where APIs are served that the API server passes on: an address, a port, and their authority as above."""

    address: str
    port: int
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessModeObjects:
    """What the cluster needs: `objects` before the process starts, `webhooks` and APIServices when it listens."""

    objects: ManifestSet
    webhooks: ManifestSet


def render_for_process_mode(
    manifests: ManifestSet,
    *,
    server: WebhookServer | None,
    apis: ApiServer | None = None,
    keep: Kept | None = None,
    keep_kinds: Collection[str] = (),
    drop_kinds: Collection[str] = (),
) -> ProcessModeObjects:
    """Take what a cluster needs for a process, with webhooks and conversions that lead to `server`, APIs to `apis`.

    Without `apis` there are no APIServices. Of the webhooks those named in `keep` are taken, with the match conditions
    it adds, or all. Kinds besides those of the tables above have to be in `keep_kinds` or `drop_kinds`, which come
    first; RenderError otherwise.
    """
    objects, webhooks = [], []
    for manifest in manifests:
        kind = manifest["kind"]
        if kind in drop_kinds:
            continue
        if kind in _WEBHOOKS:
            if found := _kept_webhooks(manifest, server, keep):
                webhooks.append(found)
        elif kind == "APIService" and apis is not None:
            webhooks.append(_served_at(manifest, apis))
            objects.append(_service(manifest, apis))
        elif kind == "CustomResourceDefinition":
            objects.append(_definition(manifest, server))
        elif kind in _KEPT or kind in keep_kinds:
            objects.append(manifest)
        elif kind not in _LEFT_OUT:
            name = manifest["metadata"]["name"]
            message = f"{kind} {name}: unsupported kind in process mode"
            raise RenderError(message, hint=f"list {kind} under keepKinds or dropKinds of the component's process face")
    # Several versions of an API have one Service.
    objects = [one for number, one in enumerate(objects) if one not in objects[:number]]
    return ProcessModeObjects(objects=ManifestSet.ordered(objects), webhooks=ManifestSet.ordered(webhooks))


def with_own_webhooks(rendered: ProcessModeObjects, server: WebhookServer | None) -> ProcessModeObjects:
    """The same, but webhooks among the objects, which overrides brought, lead to `server` and come when it listens."""
    ours = [_kept_webhooks(one, server, None) for one in rendered.objects if one["kind"] in _WEBHOOKS]
    objects = [one for one in rendered.objects if one["kind"] not in _WEBHOOKS]
    webhooks = [*rendered.webhooks, *(one for one in ours if one is not None)]
    return ProcessModeObjects(objects=ManifestSet.ordered(objects), webhooks=ManifestSet.ordered(webhooks))


def _kept_webhooks(manifest: Manifest, server: WebhookServer | None, keep: Kept | None) -> Manifest | None:
    chosen = [copy.deepcopy(hook) for hook in manifest["webhooks"] if keep is None or hook["name"] in keep]
    for hook in chosen:
        hook["clientConfig"] = _leading_to(hook["clientConfig"], server, manifest)
        if keep is not None and (conditions := keep[hook["name"]]):
            hook["matchConditions"] = [*hook.get("matchConditions", ()), *map(dict, conditions)]
    return {**manifest, "webhooks": chosen} if chosen else None


def _served_at(manifest: Manifest, apis: ApiServer) -> Manifest:
    """An APIService whose server proves that it is the process, also where the project does not ask for that."""
    spec = {key: value for key, value in manifest["spec"].items() if key != "insecureSkipTLSVerify"}
    service = {**spec["service"], "port": apis.port}
    return {**manifest, "spec": {**spec, "service": service, "caBundle": apis.authority}}


def _service(manifest: Manifest, apis: ApiServer) -> Manifest:
    """The Service of an APIService, which cannot name an address itself."""
    named = manifest["spec"]["service"]
    metadata = {"name": named["name"], "namespace": named["namespace"]}
    spec = {"type": "ExternalName", "externalName": apis.address}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _definition(manifest: Manifest, server: WebhookServer | None) -> Manifest:
    conversion = manifest["spec"].get("conversion", {})
    if "webhook" not in conversion:
        return manifest
    client = _leading_to(conversion["webhook"]["clientConfig"], server, manifest)
    webhook = {**conversion["webhook"], "clientConfig": client}
    return {**manifest, "spec": {**manifest["spec"], "conversion": {**conversion, "webhook": webhook}}}


def _leading_to(client: dict[str, Any], server: WebhookServer | None, manifest: Manifest) -> dict[str, Any]:
    if server is None:
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        raise RenderError(f"{what} needs a server of webhooks, and the component names none")
    path = client.get("service", {}).get("path", "/")
    return {"url": f"{server.origin}{path}", "caBundle": server.authority}
