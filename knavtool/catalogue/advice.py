"""What the catalogue knows and a cluster does not: which component brings a kind, and which label names a queue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from knavtool.catalogue.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.catalogue.records import Component, QueueLabel


@dataclass(frozen=True)
class Advice:
    """Advice about one cluster, which the command that `up` gives changes; all is read when it is asked for."""

    environment: Mapping[str, str]
    up: Callable[[], str]

    @cached_property
    def _components(self) -> list[Component]:
        """Without records of users that are wrong: a run does not need these."""
        return Catalogue.load(self.environment).readable()[0]

    def to_install(self, api_version: str, kind: str) -> str:
        """The commands that bring a kind to the cluster, empty if no component does."""
        group = api_version.rpartition("/")[0]
        names = [one.name for one in self._components if any(brought.has(group, kind) for brought in one.brings)]
        up = self.up() if names else ""
        return " or ".join(f"`{up} --with {name}`" for name in names)

    def queue_labels(self) -> list[QueueLabel]:
        """The labels by which components queue objects."""
        return [one.queue_label for one in self._components if one.queue_label is not None]
