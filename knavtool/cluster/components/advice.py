"""What the catalogue knows and a cluster does not: which component brings a kind, and which label names a queue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from knavtool.cluster.components.catalogue import Catalogue
from knavtool.cluster.engines.local.plan import local_cluster
from knavtool.errors import KnavError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.cluster.components.records import Component, QueueLabel


@dataclass(frozen=True)
class Advice:
    """Advice about the cluster whose API server has the URL `server`; records are read when they are asked for."""

    environment: Mapping[str, str]
    server: str

    @cached_property
    def _components(self) -> tuple[Component, ...]:
        return tuple(_readable(Catalogue.load(self.environment)))

    def to_install(self, api_version: str, kind: str) -> str:
        """The commands that bring a kind to the cluster, empty if no component does."""
        group = api_version.rpartition("/")[0]
        names = [one.name for one in self._components if any(brought.has(group, kind) for brought in one.brings)]
        return " or ".join(f"`{self._up} --with {name}`" for name in names)

    def queue_labels(self) -> list[QueueLabel]:
        """The labels by which components queue objects."""
        return [one.queue_label for one in self._components if one.queue_label is not None]

    @cached_property
    def _up(self) -> str:
        files = local_cluster(self.server, self.environment)
        if files is None:
            return "knavtool cluster up --engine existing"
        return "knavtool cluster up" + (f" --name {files.name}" if files.name != _DEFAULT_NAME else "")


_DEFAULT_NAME = "default"


def _readable(catalogue: Catalogue) -> Iterator[Component]:
    """All components but those of users' records that are wrong: a run does not need these."""
    for name in catalogue.files:
        try:
            yield catalogue.component(name)
        except KnavError:
            continue
