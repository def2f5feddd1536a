"""What `up` waits for: the account that pods run as, and a control plane that knows new kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from knavtool.engines.local.control_plane.control_plane import replace_process
from knavtool.engines.local.control_plane.kinds import CONTROLLER_MANAGER, until_collected
from knavtool.engines.local.control_plane.readiness import control_plane_health
from knavtool.kube.resource import SERVICE_ACCOUNTS
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from knavtool.engines.local.components.component import LocalComponent
    from knavtool.engines.local.control_plane.awaited import Awaited
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway


class Telling(NamedTuple):
    """Where it is told what is waited for: what is missing when the time is up, and steps."""

    awaited: Awaited
    steps: Steps


async def service_account(gateway: Gateway, telling: Telling) -> None:
    """Pods are refused until the controller manager has made the account that they run as."""
    what = "service account default"
    with (
        telling.steps.step("cluster", what),
        telling.awaited.waiting(what, lambda: f"{CONTROLLER_MANAGER} has not made it in the namespace default"),
    ):
        await until(
            gateway,
            SERVICE_ACCOUNTS,
            lambda seen: True if ("default", "default") in seen else None,
            timeout=None,
            namespace="default",
        )


async def new_kinds(
    files: ClusterFiles,
    gateway: Gateway,
    components: Collection[LocalComponent],
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    replaced: set[str],
    telling: Telling,
) -> None:
    """Once all new kinds are served, start the controller manager again, and wait until it knows them."""
    for one in components:
        await one.installed.wait()
    definitions = [definition for one in components for definition in one.definitions]
    if not definitions:
        return
    what = "new kinds"
    with (
        telling.steps.step("cluster", what, CONTROLLER_MANAGER),
        telling.awaited.waiting(what, lambda: f"the garbage collector of {CONTROLLER_MANAGER} does not know them yet"),
    ):
        if any(one.made_definitions for one in components):
            await replace_process(files, CONTROLLER_MANAGER, gateway, environment=environment, replaced=replaced)
            await telling.awaited.healthy(files, CONTROLLER_MANAGER, control_plane_health(ports)[CONTROLLER_MANAGER])
        await until_collected(gateway, definitions)
