"""Components in a cluster that exists: planned for a command, and switched between contenders of a bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.catalogue.credentials import require_credentials
from knavtool.engines.existing import installed
from knavtool.engines.existing.down import down
from knavtool.engines.existing.plan import make_plan
from knavtool.engines.existing.prepare import Preparation, api_versions
from knavtool.engines.existing.up import up
from knavtool.engines.existing.values import kept_values
from knavtool.errors import UsageError
from knavtool.harness.programs import helm, toolchain_from_environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.catalogue.records import Component
    from knavtool.engines.existing.plan import Plan
    from knavtool.events import Steps
    from knavtool.harness.target import Target
    from knavtool.helm import Helm
    from knavtool.kube.client import Client


def chosen(
    catalogue: Catalogue, wanted: Mapping[str, str], left_out: Collection[str] = (), *, prometheus: bool
) -> tuple[Component, ...]:
    """What is asked for, what every cluster has, and what these need; raises UsageError if that is to be left out."""
    for name in left_out:
        catalogue.component(name)
        if name in wanted:
            raise UsageError(f"{name} is named by --with and by --without")
    roles = ("nodes", "monitoring") if prometheus else ("nodes",)
    always = {one.name: "" for role in roles for one in catalogue.with_role(role) if one.in_cluster}
    names = {name: version for name, version in {**always, **wanted}.items() if name not in left_out}
    components = catalogue.ordered(names)
    for one in components:
        if one.name in left_out:
            needing = ", ".join(other.name for other in components if one.name in other.needs)
            raise UsageError(f"--without {one.name}: {needing} needs it", hint="exclude that too")
    return components


async def planned(
    client: Client,
    target: Target,
    catalogue: Catalogue,
    components: Sequence[Component],
    *,
    steps: Steps,
    charts: Mapping[str, Path] | None = None,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    options: Collection[str] = (),
    take_ownership: bool = False,
    repair: bool = False,
    without: Collection[str] = (),
) -> tuple[Plan, Helm | None]:
    """Fetch and render components, and look at the cluster; with the Helm that installs them, if one is a chart.

    `charts` are files and `values` those of the user, by component; what was given before is kept. Raises KnavError.
    """
    credentials = require_credentials(components, target.environment)
    given, with_charts = values or {}, {one.name for one in components if one.chart is not None}
    given = {**await kept_values(client, with_charts - given.keys()), **given}
    program = (await helm(target, steps)).hiding(credentials) if with_charts else None
    preparation = Preparation(
        toolchain=toolchain_from_environment(target.environment),
        helm=program,
        local=charts or {},
        values=given,
        options=options,
        kube_version=client.server_version,
        steps=steps,
        credentials=credentials,
        api_versions=tuple(api_versions(await client.kinds())) if program is not None else (),
    )
    plan = await make_plan(
        client,
        await preparation.components(components),
        take_ownership=take_ownership,
        repair=repair,
        without=without,
        needs=catalogue.needs,
    )
    return plan, program


async def switch(
    client: Client,
    target: Target,
    catalogue: Catalogue,
    components: Sequence[Component],
    *,
    among: Collection[str],
    timeout: float,
    steps: Steps,
) -> None:
    """Let a cluster have these components, and no others `among` those of these names; `timeout` is in seconds.

    What is there already in its version stays as it is. Raises KnavError.
    """
    records = await installed.load(client)
    there = {name: one.version for name, one in records.items() if one.complete}
    wanted = {one.name: one.version for one in components}
    going = [name for name in records if name in among and wanted.get(name) != there.get(name)]
    if going:
        removed = await down(client, lambda: helm(target, steps), only=going, timeout=timeout, steps=steps)
        for one in removed.kept:
            steps.note(f"kept {one}", warning=True)
    if all(there.get(name) == version for name, version in wanted.items()):
        return
    plan, program = await planned(client, target, catalogue, components, steps=steps)
    await up(client, program, plan, repair=False, timeout=timeout, steps=steps)
