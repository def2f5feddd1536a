"""Whether the projects publish what the records say of them: charts, release files, names and images in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.catalogue.verified_charts import verify_chart
from knavtool.catalogue.verified_objects import verify_objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from knavtool.catalogue.records import Brought, Component
    from knavtool.catalogue.verdicts import Verified
    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.toolchain.resolve import Toolchain


async def verify(
    component: Component, toolchain: Toolchain, helm: Helm | None, *, brought: Collection[Brought], steps: Steps
) -> AsyncIterator[Verified]:
    """What a record says, one after another; one that depends on what cannot be had is left out.

    The cache of the `toolchain` should be empty: what was fetched before says nothing of what is published now. `helm`
    may be None if the component has no chart. `brought` are kinds that components of the catalogue bring.
    """
    if component.chart is not None and helm is not None:
        async for one in verify_chart(component, component.chart, toolchain, helm, steps=steps):
            yield one
    async for one in verify_objects(component, toolchain, brought=brought, steps=steps):
        yield one
