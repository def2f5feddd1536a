"""Label and field selectors, as far as the fake API server needs them: `a=b,c`, `!d`, `metadata.name=x`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def matches_labels(labels: Mapping[str, str], selector: str) -> bool:
    """Whether labels satisfy a comma-separated list of `key=value`, `key!=value`, `key` and `!key`."""
    return all(_matches_label(labels, term.strip()) for term in selector.split(",") if term.strip())


def _matches_label(labels: Mapping[str, str], term: str) -> bool:
    if "!=" in term:
        key, value = term.split("!=", 1)
        return labels.get(key) != value
    if "=" in term:
        key, value = term.replace("==", "=").split("=", 1)
        return labels.get(key) == value
    if term.startswith("!"):
        return term[1:] not in labels
    return term in labels


def matches_fields(manifest: Mapping[str, Any], selector: str) -> bool:
    """Whether an object satisfies a comma-separated list of `path=value` and `path!=value`."""
    for term in filter(None, selector.split(",")):
        wanted_equal = "!=" not in term
        path, value = term.split("=" if wanted_equal else "!=", 1)
        found: Any = manifest
        for part in path.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        if (str(found) == value) is not wanted_equal:
            return False
    return True
