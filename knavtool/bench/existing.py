"""Repetitions in a cluster that exists: components are switched, and what the last one made is proven to be gone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from knavtool.atomic import FOR_PEOPLE, atomic_write
from knavtool.bench.repeating import NotClean
from knavtool.catalogue.catalogue import Catalogue
from knavtool.engines.existing import installed
from knavtool.engines.existing.contents import contents, left_behind
from knavtool.engines.existing.installation import some
from knavtool.engines.existing.plan import real_nodes
from knavtool.errors import DocumentError, UsageError
from knavtool.harness.existing import chosen, switch
from knavtool.harness.limits import rate_limit
from knavtool.kube.connecting import connect
from knavtool.nodes.inventory import delete_nodes, our_names
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from knavtool.bench.planning import Planned
    from knavtool.catalogue.records import Component
    from knavtool.documents.bench_file import BenchFile, Contender
    from knavtool.engines.existing.installation import Ref
    from knavtool.events import Steps
    from knavtool.harness.target import Target
    from knavtool.kube.client import Client

NAME = "cluster.json"
"""What was in the cluster before the first repetition."""
_SWITCHED_WITHIN = 600.0
_GONE_WITHIN = 60.0
_SHOWN = 5
_LOCAL_ONLY = {
    "kubernetes": "kubernetes",
    "settings": "config, set, args and env",
    "sources": "sources",
    "files": "files",
    "feature_gates": "feature gates",
    "runtime_config": "runtime config",
    "tuning": "tuning",
    "audit_log": "the audit log",
    "programs": "programs",
}


def require_existing(file: BenchFile) -> None:
    """Raise UsageError if a contender wants what knavtool sets in local clusters only."""
    for contender in file.contenders:
        if given := [words for name, words in _LOCAL_ONLY.items() if getattr(contender.cluster, name)]:
            raise UsageError(
                f"{file.file}: contender {contender.name}: {', '.join(given)} cannot be set in a cluster that exists",
                hint="leave them out, or run the bench without --engine existing",
            )


@asynccontextmanager
async def existing_place(bench: Planned, directory: Path, target: Target, *, steps: Steps) -> AsyncIterator[_Existing]:
    """The cluster of a target for the block; afterwards it has what it had before, as far as this bench changed it.

    Raises UsageError if a contender cannot have what it wants there, and NotClean if an interrupted repetition left
    something.
    """
    place = _Existing(bench, target, Catalogue.load(target.environment))
    async with place.connected() as client:
        await place.begin(client, directory, steps)
    try:
        yield place
    finally:
        async with place.connected() as client:
            await place.end(client, steps)


@dataclass(slots=True)
class _Existing:
    """`before` is what was in the cluster when the last repetition began, by uid."""

    bench: Planned
    target: Target
    catalogue: Catalogue
    about: str = ""
    before: Collection[str] = ()
    had: Sequence[str] = ()
    now: Sequence[Component] | None = None
    components: Mapping[str, Sequence[Component]] = field(default_factory=dict)

    def connected(self) -> AbstractAsyncContextManager[Client]:
        """A client for it."""
        target = self.target
        return connect(
            kubeconfig=target.kubeconfig,
            context=target.context,
            environment=target.environment,
            limit=rate_limit(target.environment, None, None),
        )

    @property
    def named(self) -> set[str]:
        """The names of all components that contenders have."""
        return {one.name for every in self.components.values() for one in every}

    async def begin(self, client: Client, directory: Path, steps: Steps) -> None:
        """Look at the cluster, and write down what is there; after an interruption, remove what is left of it."""
        self.components = {
            one.name: chosen(self.catalogue, one.cluster.components, prometheus=False)
            for one in self.bench.file.contenders
        }
        for name, components in self.components.items():
            if apart := [one.name for one in components if not one.in_cluster]:
                hint = f"`knavtool components show {apart[0]}` tells where it runs"
                raise UsageError(
                    f"contender {name}: {apart[0]} cannot be installed in a cluster that exists", hint=hint
                )
        real = await real_nodes(client)
        self.about = f"context {self.target.context}, Kubernetes {client.server_version}, {real} real nodes"
        file = directory / NAME
        if file.exists():
            self.had, original = _read(file)
            await self._reset(client, steps)
            self.before = original
            await self._require_clean(client)
            return
        records = await installed.load(client)
        self.had = tuple(records)
        for name, components in self.components.items():
            versions = {one.name: one.version for one in components}
            for had, record in records.items():
                if had in self.named and versions.get(had) != record.version:
                    raise UsageError(
                        f"contender {name}: the cluster has {had} {record.version}, which was there before the bench",
                        hint="`knavtool cluster down --engine existing` removes what knavtool installed",
                    )
        if self.bench.file.values is not None and (nodes := await our_names(client)):
            hint = "`knavtool nodes delete --all` removes them"
            raise UsageError(f"the cluster has {len(nodes)} virtual nodes of knavtool already", hint=hint)
        content = {"components": self.had, "objects": list(await contents(client))}
        with as_output_error(f"cannot write {file}"):
            atomic_write(file, orjson.dumps(content), mode=FOR_PEOPLE)

    @asynccontextmanager
    async def cluster(self, contender: Contender, *, steps: Steps) -> AsyncIterator[Target]:
        """The same cluster, with the components of a contender."""
        components = self.components[contender.name]
        async with self.connected() as client:
            if self.before:
                await self._require_clean(client)
            if components != self.now:
                self.now = None
                await self._switch(client, components, steps)
                self.now = components
            self.before = set(await contents(client))
        try:
            yield self.target
        finally:
            if self.bench.file.values is not None:
                async with self.connected() as client:
                    await delete_nodes(client, await our_names(client), steps=steps)

    async def end(self, client: Client, steps: Steps) -> None:
        """Remove the components of contenders, and tell what repetitions left."""
        if self.before and (rest := await self._left_behind(client)):
            steps.note(f"left in the cluster: {some(rest, _SHOWN)}", warning=True)
        await self._reset(client, steps)

    async def _reset(self, client: Client, steps: Steps) -> None:
        if self.bench.file.values is not None:
            await delete_nodes(client, await our_names(client), steps=steps)
        await self._switch(client, (), steps)

    async def _switch(self, client: Client, components: Sequence[Component], steps: Steps) -> None:
        await switch(
            client,
            self.target,
            self.catalogue,
            components,
            among=self.named - set(self.had),
            timeout=_SWITCHED_WITHIN,
            steps=steps,
        )

    async def _left_behind(self, client: Client) -> list[Ref]:
        return await left_behind(client, self.before, timeout=min(_GONE_WITHIN, self.bench.file.timeout))

    async def _require_clean(self, client: Client) -> None:
        if rest := await self._left_behind(client):
            self.before = ()  # told once
            told = some(rest, _SHOWN)
            raise NotClean(
                f"the cluster is not as it was before the last repetition, there are still or anew: {told}",
                hint="remove them, then go on with --resume; a bench needs a cluster that nobody else works on",
            )


def _read(file: Path) -> tuple[Sequence[str], set[str]]:
    try:
        content = orjson.loads(file.read_bytes())
        return tuple(content["components"]), set(content["objects"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DocumentError(f"{file} cannot be read ({type(error).__name__}: {error})") from error
