"""Objects on their way into the cluster: by server-side apply, what others need first."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from knavtool.engines.existing.installation import DEFINITION
from knavtool.engines.existing.installed import LABEL
from knavtool.engines.existing.ready import WEBHOOKS
from knavtool.kube.concurrency import for_each
from knavtool.render.manifests import rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from knavtool.engines.existing.installation import Ref
    from knavtool.engines.existing.look import Found
    from knavtool.events import Step
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

LAST = (*WEBHOOKS, "APIService")
"""Kinds through which the API server asks a component: dead, they hold up everybody else's work."""


def before_webhooks(manifests: Iterable[Manifest]) -> list[Manifest]:
    """What can be sent once the definitions are served and before anything runs."""
    return [one for one in manifests if one["kind"] not in (*LAST, DEFINITION)]


def webhooks_and_api_services(manifests: Iterable[Manifest]) -> list[Manifest]:
    """What must wait until the component works."""
    return [one for one in manifests if one["kind"] in LAST]


async def send(
    gateway: Gateway, found: Found, manifests: Iterable[Manifest], *, ours: Collection[Ref], step: Step
) -> None:
    """Apply objects of a component, kind by kind in the order of `rank`; raises the first refusal.

    `ours` are those that carry our label: all but namespaces that were there before.
    """
    ordered = sorted(manifests, key=rank)
    done = 0

    async def apply(manifest: Manifest) -> None:
        nonlocal done
        ref = found.ref(manifest)
        # A kind that has just been defined is asked for again: only the server knows where it is served.
        resource = await gateway.discover(ref.api_version, ref.kind)
        body = _labelled(manifest, found.installation.name) if ref in ours else manifest
        await gateway.apply(resource, ref.name, body, namespace=ref.namespace or None)
        done += 1
        step.progress(done, len(ordered), str(ref))

    for _, group in groupby(ordered, key=rank):
        refused = await for_each(list(group), apply, stop_on_error=True)
        if refused:
            raise refused[0][1]


def _labelled(manifest: Manifest, component: str) -> Manifest:
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), LABEL: component}}}
