"""Components as what settings can be about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from knavtool import resources
from knavtool.documents.yaml import load_rendered
from knavtool.render.components import read_text
from knavtool.settings.flags import names
from knavtool.settings.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.catalogue.records import Component

_VARIABLE = re.compile(r"\$\{")


def subject(one: Component) -> Subject:
    """What settings of a component can change; reads its own configuration.

    What the record fills in with `${...}` is what knavtool chooses: ports, places, certificates.
    """
    return Subject(
        name=one.name,
        processes=tuple(process.name for process in one.processes),
        config=one.process.config if one.process is not None else None,
        template=_template(one),
        shortcuts=one.settings,
        fixed_args={process.name: names(filter(_VARIABLE.search, process.args)) for process in one.processes},
        fixed_environment={
            process.name: frozenset(key for key, value in process.environment.items() if _VARIABLE.search(value))
            for process in one.processes
        },
    )


def is_object(manifest: Mapping[str, Any], reference: Mapping[str, str]) -> bool:
    """Whether a manifest is the object that a configuration names."""
    metadata = manifest["metadata"]
    here = (manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])
    return here == (reference["apiVersion"], reference["kind"], reference.get("namespace", ""), reference["name"])


def _template(one: Component) -> str | None:
    """The text of its own configuration, None if it has none."""
    face = one.process
    if face is None or (config := face.config) is None:
        return None
    if config.object:
        for name in face.overrides:
            for manifest in _manifests(read_text(resources.override(name))):
                if is_object(manifest, config.object):
                    return str((manifest.get("data") or {}).get(config.key, ""))
        return ""
    (process,) = (process for process in face.processes if process.name == config.process)
    return read_text(resources.override(process.files[config.file]))


def _manifests(text: str) -> list[dict[str, Any]]:
    try:
        return load_rendered(text)
    except yaml.YAMLError:
        return []  # it is told when the objects are rendered
