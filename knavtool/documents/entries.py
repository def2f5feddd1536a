"""Node entries of a values file and their devices, as frozen models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VIRTUAL_LABEL = ("type", "kwok")
"""The label that tells virtual nodes from real ones."""
VIRTUAL = "=".join(VIRTUAL_LABEL)
"""The same as a label selector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The equal devices that a driver offers on each node of an entry; capacities are quantities."""

    driver: str
    count: int
    extended_resource_name: str
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Devices:
        """From a document that passed its schema."""
        kind, _, domain = given["driver"].partition(".")
        return cls(
            driver=given["driver"],
            count=given["count"],
            extended_resource_name=given.get("extendedResourceName", f"{domain}/{kind}"),
            attributes=given.get("attributes", {}),
            capacity=given.get("capacity", {}),
        )

    def values(self) -> dict[str, Any]:
        """As the chart's values take it."""
        return {
            "driver": self.driver,
            "count": self.count,
            "extendedResourceName": self.extended_resource_name,
            "attributes": dict(self.attributes),
            "capacity": dict(self.capacity),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntry:
    """A group of equal nodes; all texts are as Kubernetes wants them, quantities included."""

    type: str
    count: int
    name_prefix: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    devices: Devices | None = None
    conditions: tuple[Mapping[str, str], ...] = ()
    taints: tuple[Mapping[str, str], ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of the entry's nodes begin with."""
        return self.name_prefix or f"virtual-{self.type}"

    def values(self) -> dict[str, Any]:
        """The entry as the chart's values take it."""
        given: dict[str, Any] = {"type": self.type, "count": self.count, "namePrefix": self.name_prefix}
        for name in ("annotations", "labels", "resources"):
            given[name] = dict(getattr(self, name))
        if self.devices is not None:
            given["resources"]["dra"] = self.devices.values()
        for name in ("conditions", "taints"):
            given[name] = [dict(item) for item in getattr(self, name)]
        return {name: value for name, value in given.items() if value or name == "count"}
