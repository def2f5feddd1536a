"""The file that says a cluster: what `cluster up -f` makes it of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knavtool.catalogue.gates import parsed
from knavtool.engines.local.control_plane.settings import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.plan import Plan, Wanted
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.settings.settings import Settings


def written(files: ClusterFiles, wanted: Wanted, plan: Plan, release: str) -> dict[str, Any]:
    """The cluster that a plan leads to, in the form of `schemas/cluster.schema.json`; what is default is left out."""
    known = plan.record
    gates = wanted.feature_gates if known is None else known.feature_gates
    served = wanted.runtime_config if known is None else known.runtime_config
    tuning = (wanted.tuning or "all") if known is None else known.tuning
    audit_log = (wanted.audit_log if known is None else known.audit_log) == "on"
    of_processes = {name: plan.settings[name] for name in PROCESSES if name in plan.settings}
    control_plane = {name: _of_the_only_process(_settings(one)) for name, one in of_processes.items()}
    document: dict[str, Any] = {
        "name": files.name,
        "kubernetes": release,
        "components": [_component(one, plan) for one in plan.components],
        "controlPlane": control_plane,
        "featureGates": _values(gates),
        "runtimeConfig": _values(served),
        "tuning": tuning if tuning != "all" else None,
        "auditLog": audit_log or None,
        "prometheus": None if wanted.prometheus else False,
        "port": wanted.api_server_port,
    }
    return {key: value for key, value in document.items() if value not in (None, {}, [])}


def _component(one: Component, plan: Plan) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": one.name, "version": one.version}
    if one.source is not None and one.source.directory is not None:
        entry["source" if one.source.builds else "files"] = str(one.source.directory)
    if (settings := plan.settings.get(one.name)) is None:
        return entry
    told = _settings(settings)
    if len(one.processes) > 1:
        several = {name: told.pop(name) for name in ("args", "env") if name in told}
        names = [process.name for process in one.processes]
        told["processes"] = {
            name: {key: by[name] for key, by in several.items() if name in by}
            for name in names
            if any(name in by for by in several.values())
        }
        return {**entry, **{key: value for key, value in told.items() if value}}
    return {**entry, **_of_the_only_process(told)}


def _settings(settings: Settings) -> dict[str, Any]:
    """Flags and variables are by process."""
    told: dict[str, Any] = {}
    if settings.text is not None:
        told |= {"config": _tree(settings), "replace": True}
    elif settings.config:
        told["config"] = dict(settings.config)
    if settings.fields:
        told["set"] = dict(settings.fields)
    if settings.args:
        told["args"] = {
            process: {flag: None if text is None else text.partition("=")[2] or True for flag, text in flags.items()}
            for process, flags in settings.args.items()
        }
    if settings.environment:
        told["env"] = {process: dict(variables) for process, variables in settings.environment.items()}
    return told


def _of_the_only_process(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: next(iter(value.values())) if key in ("args", "env") else value for key, value in told.items()}


def _tree(settings: Settings) -> Any:
    """What a whole configuration says; the file that it came from if that is no map."""
    try:
        tree = yaml.safe_load(settings.text or "")
    except yaml.YAMLError:
        return settings.source
    return tree if isinstance(tree, dict) else settings.source


def _values(text: str | None) -> dict[str, bool]:
    return {name: value != "false" for name, value in parsed(text or "").items()}
