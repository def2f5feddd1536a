"""A record at one of the versions of its component: what its `versions` say of that, and the sums of that version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.version import exact, within
from knavtool.settings.merging import merged

if TYPE_CHECKING:
    from collections.abc import Mapping

KUBERNETES = "kubernetes"
"""What a component follows that is a part of Kubernetes."""

_SUMS = frozenset({"sum", "sha256", "digest"})


def chosen_version(record: Mapping[str, Any], version: str) -> str:
    """The version that was asked for, which begins with a v if that of the record does; "" is that of the record."""
    if not version:
        return str(record["version"])
    return ("v" if record["version"].startswith("v") else "") + version.removeprefix("v")


def at_version(record: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """The record at a version: what its `versions` say of it is merged over the rest, later entries over earlier ones.

    They are merged as configurations are: maps, and lists of maps by name; anything else is replaced, null removes.
    The sums beside `versions` are those of the record's own version and do not count for another one; an entry of one
    version has those of that.
    """
    own = version == record["version"]
    rest = {key: value for key, value in record.items() if key != "versions"}
    result = rest if own else _without_sums(rest)
    for entry in record.get("versions", ()):
        if within(version, entry["range"]):
            result = with_entry(result, entry)
    return {**result, "version": version}


def with_entry(record: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record with what an entry of its `versions` says merged over it."""
    result: Mapping[str, Any] = merged(record, {key: value for key, value in entry.items() if key != "range"})
    return result


def tried(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions that are known to work: that of the record, and those that have an entry of their own."""
    others = (exact(entry["range"]) for entry in record.get("versions", ()))
    return tuple(dict.fromkeys([record["version"], *filter(None, others)]))


def _without_sums(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_sums(part) for key, part in value.items() if key not in _SUMS}
    if isinstance(value, list):
        return [_without_sums(part) for part in value]
    return value
