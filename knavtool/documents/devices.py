"""What Kubernetes demands of the devices of virtual nodes, for dynamic resource allocation (DRA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.documents.quantity import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.entries import Devices, NodeEntry
    from knavtool.documents.places import Location

# Limits of the API server that the schema cannot tell.
_MOST_PROPERTIES = 32
_LONGEST_DOMAIN = 63
_LONGEST_TEXT_BYTES = 64


def device_faults(place: Location, devices: Devices, resources: Mapping[str, str]) -> Iterator[Complaint]:
    """What is wrong with the devices of one entry; `place` is that of `dra`, `resources` are those beside it."""
    name = devices.extended_resource_name
    if "kubernetes.io/" in name or name.startswith("requests."):
        yield (
            (*place, "extendedResourceName"),
            f"{name!r} is a name that Kubernetes keeps for itself; give another, like nvidia.com/gpu",
        )
    if name in resources and parse(resources[name]) != 0:
        message = (
            f"the devices of {devices.driver} serve {name} already; pods that ask for it would use up what is given "
            "here and never the devices; leave this out, or give the devices another extendedResourceName"
        )
        yield (*place[:-1], name), message
    if len(devices.attributes) + len(devices.capacity) > _MOST_PROPERTIES:
        yield place, f"a device has at most {_MOST_PROPERTIES} attributes and capacities together"
    for part, keys in (("attributes", devices.attributes), ("capacity", devices.capacity)):
        for key in keys:
            if len(key.rpartition("/")[0]) > _LONGEST_DOMAIN:
                yield (*place, part, key), f"before the slash at most {_LONGEST_DOMAIN} characters are allowed"
    for key, value in devices.attributes.items():
        if isinstance(value, str) and len(value.encode()) > _LONGEST_TEXT_BYTES:
            yield (*place, "attributes", key), f"the text is longer than {_LONGEST_TEXT_BYTES} bytes"


def class_faults(entries: Sequence[tuple[Location, NodeEntry]]) -> Iterator[Complaint]:
    """Entries that disagree about a driver's resource name: there is one DeviceClass for all nodes of a driver."""
    names: dict[str, tuple[Location, str]] = {}
    drivers: dict[str, tuple[Location, str]] = {}
    for place, entry in entries:
        devices = entry.devices
        if devices is None:
            continue
        name, driver = devices.extended_resource_name, devices.driver
        here = (*place, "resources", "dra", "extendedResourceName")
        other_place, other_name = names.setdefault(driver, (place, name))
        if other_name != name:
            yield here, f"the devices of {driver} are {other_name} in entry {other_place[-1]}, so they cannot be {name}"
            continue
        other_place, other_driver = drivers.setdefault(name, (place, driver))
        if other_driver != driver:
            message = (
                f"{name} stands for the devices of {other_driver} in entry {other_place[-1]}; "
                f"give those of {driver} another extendedResourceName"
            )
            yield here, message
