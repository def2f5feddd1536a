"""What only the user has: secrets of components, which come from environment variables and are written nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.catalogue.records import Component


def require_credentials(components: Iterable[Component], environment: Mapping[str, str]) -> dict[str, str]:
    """The values of the variables that the records declare; raises UsageError, with all that are not set."""
    declared = [(one, credential) for one in components for credential in one.credentials]
    missing: dict[str, list[str]] = {}
    for one, credential in declared:
        if not environment.get(credential.variable):
            line = f"  {credential.variable}: {credential.description}"
            missing.setdefault(one.name, []).append(line)
    if missing:
        parts = [
            "\n".join([f"{name} needs these environment variables, which are not set:", *lines])
            for name, lines in missing.items()
        ]
        raise UsageError("\n".join([*parts, "nothing was changed"]), hint="set them and run the command again")
    return {credential.variable: environment[credential.variable] for _, credential in declared}


def filled(values: Any, component: Component, credentials: Mapping[str, str]) -> Any:
    """Values of a chart with `${VARIABLE}` replaced in all texts, for the variables that the component declares.

    It is replaced after the YAML is read, so that no character of a secret means anything there. A variable without
    a value stays as it is.
    """
    known = {
        f"${{{one.variable}}}": credentials[one.variable]
        for one in component.credentials
        if one.variable in credentials
    }
    return _filled(values, known) if known else values


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {field: _filled(item, known) for field, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    if not isinstance(value, str):
        return value
    # Piece by piece: what a secret contains is not looked at again.
    for placeholder, secret in known.items():
        if placeholder in value:
            return secret.join(_filled(part, known) for part in value.split(placeholder))
    return value
