"""Values that a user gives to charts of components, and which stay as given until other ones come.

They are kept in the cluster, one Secret per component beside its record, because they may hold secrets; the record
has only the names of what they set.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.yaml import load, load_rendered
from knavtool.engines.existing.installed import HOME
from knavtool.engines.existing.installed import load as load_installed
from knavtool.errors import ClusterError, Forbidden, InvalidDocument, NotFound, UsageError
from knavtool.kube.resource import SECRETS
from knavtool.render.components import merged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from knavtool.errors import Violation
    from knavtool.kube.client import Client
    from knavtool.kube.gateway import Gateway

_LABEL = "knavtool/values"
_KEY = "values.json"


def read_values(pairs: Iterable[tuple[str, Path]]) -> dict[str, dict[str, Any]]:
    """The values by component, later files over earlier ones; an empty file sets nothing.

    Raises InvalidDocument with the places of all faults.
    """
    values: dict[str, dict[str, Any]] = {}
    faults: list[Violation] = []
    for name, file in pairs:
        try:
            values[name] = merged(values.get(name, {}), _read(file))
        except InvalidDocument as error:
            faults += error.violations
    if faults:
        raise InvalidDocument(faults)
    return values


def _read(file: Path) -> dict[str, Any]:
    text = _text(file)
    if text is not None and not _has_content(text):
        return {}
    # This reader knows the places of faults, the other one reads scalars as Helm does.
    document = load(file)
    if not isinstance(document.data, dict):
        raise InvalidDocument([document.violation((), "expected values by name, as in a chart's values.yaml")])
    values: dict[str, Any] = load_rendered(text or "")[0]
    return values


def _text(file: Path) -> str | None:
    """The text of a file; None if it cannot be read, which its reader tells."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _has_content(text: str) -> bool:
    try:
        return any(True for _ in load_rendered(text))
    except yaml.YAMLError:
        return True


def paths(values: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The names of what is set: `prometheus.prometheusSpec.retention`. A key with a dot is in quotes."""
    for key, value in values.items():
        name = f'"{key}"' if "." in key else key
        if isinstance(value, dict) and value:
            yield from paths(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"


async def kept_values(client: Client, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """The values that an earlier `cluster up` kept, of these components."""
    try:
        records = await load_installed(client)
    except Forbidden:
        return {}  # the plan tells this, with all other rights that are missing
    return {name: await _load(client, name) for name in sorted(names) if name in records and records[name].values}


async def _load(gateway: Gateway, component: str) -> dict[str, Any]:
    name = _object_name(component)
    hint = f"give them again with --values {component}=FILE, or --values {component}=/dev/null to have none"
    try:
        item = await gateway.get(SECRETS, name, namespace=HOME)
    except NotFound as error:
        message = f"the values of {component} are not in Secret {HOME}/{name} any more"
        raise ClusterError(message, status=404, hint=hint) from error
    try:
        values: dict[str, Any] = json.loads(base64.b64decode(item["data"][_KEY]))
        return values
    except (KeyError, TypeError, ValueError) as error:
        raise ClusterError(f"Secret {HOME}/{name} cannot be read: {error!r}", hint=hint) from error


async def save(gateway: Gateway, component: str, values: Mapping[str, Any]) -> None:
    """Keep the values of a component; the namespace is there."""
    name = _object_name(component)
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": HOME, "labels": {_LABEL: component}},
        "data": {_KEY: base64.b64encode(json.dumps(values).encode()).decode()},
    }
    await gateway.apply(SECRETS, name, body, namespace=HOME)


async def forget(gateway: Gateway, component: str) -> None:
    """Remove the values of a component, if there are any."""
    await gateway.delete(SECRETS, _object_name(component), namespace=HOME)


def require_charts(names: Collection[str], charts: Collection[str], wanted: Collection[str]) -> None:
    """Raise UsageError for values of a component that is not wanted, or is installed without a chart."""
    for name in names:
        if name in wanted and name not in charts:
            message = f"--values {name}=...: {name} is installed from manifests, and only charts take values"
            hint = f"`knavtool cluster render --with {name}` writes its manifests for your own changes"
            raise UsageError(message, hint=hint)
        if name not in charts:
            raise UsageError(f"--values {name}=...: {name} is no wanted component", hint=f"add --with {name}")


def _object_name(component: str) -> str:
    return f"values-{component}"
