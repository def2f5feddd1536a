"""Settings of the control plane's processes: what they can be, and how they get into kwokctl's record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from knavtool import resources
from knavtool.atomic import atomic_write
from knavtool.catalogue.reading import read_config, read_shortcuts
from knavtool.documents.yaml import dump, load_rendered
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.processes.processes import MARK
from knavtool.engines.local.state import applied
from knavtool.render.components import read_text
from knavtool.settings import paths
from knavtool.settings.effective import effective, own_configuration
from knavtool.settings.flags import read_flag, with_flags
from knavtool.settings.subject import Subject
from knavtool.settings.tunables import read_tunables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.settings.settings import Settings
    from knavtool.settings.tunables import Tunable

_DATA = Path(__file__).with_name("subjects.yaml")
_CONFIG = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurable:
    """A process of the control plane; `moved` are flags that its configuration takes the place of, by path there.

    `tunables` are what bounds how fast it works.
    """

    subject: Subject
    moved: Mapping[str, str] = field(default_factory=dict)
    tunables: tuple[Tunable, ...] = ()


@cache
def configurables() -> Mapping[str, Configurable]:
    """The processes of the control plane by name, in the order of their start."""
    data: dict[str, Any] = yaml.load(_DATA.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {name: _configurable(name, data[name]) for name in PROCESSES}


def configure(files: ClusterFiles, name: str, settings: Settings) -> None:
    """Write a process's arguments, environment and configuration file, for its next start, whoever starts it."""
    applied.save(files, name, settings)
    made = files.kwokctl_made
    if not made.exists():
        atomic_write(made, files.kwokctl.read_bytes())
    own = _component(_documents(made), name)
    documents = _documents(files.kwokctl)
    component = _component(documents, name)
    about = configurables()[name]
    args = with_flags(own["args"], settings.args.get(name, {}))
    if settings.configures:
        config = files.component(name) / about.subject.config.file if about.subject.config is not None else None
        args = _with_file(files, about, settings, args, config or files.component(name) / _CONFIG)
    component["args"] = args
    variables = {one["name"]: one.get("value", "") for one in own.get("envs", ())}
    for key, value in settings.environment.get(name, {}).items():
        if value is None:
            variables.pop(key, None)
        else:
            variables[key] = value
    component["envs"] = [{"name": key, "value": value} for key, value in variables.items()]
    atomic_write(files.kwokctl, yaml.safe_dump_all(documents, sort_keys=False))


def _with_file(files: ClusterFiles, about: Configurable, settings: Settings, args: list[str], file: Path) -> list[str]:
    """Write the configuration; returns the arguments with it, and without the flags that it takes the place of."""
    own = own_configuration(about.subject)
    given = {name: text for name, text in map(read_flag, args) if name in about.moved and text is not None}
    for name, text in given.items():
        value = load_rendered(text.partition("=")[2] or "true")[0]
        own = paths.put(own, paths.path_of(about.moved[name]), value)
    subject = replace(about.subject, template=dump([own]))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(file, effective(subject, settings).filled({"kubeconfig": str(files.kubeconfig)}))
    gone: dict[str, str | None] = dict.fromkeys([*given, "kubeconfig"])
    return with_flags(args, {**gone, _CONFIG: f"--{_CONFIG}={file}"})


def _configurable(name: str, data: Mapping[str, Any]) -> Configurable:
    subject = Subject(
        name=name,
        processes=(name,),
        config=read_config(data["config"]) if "config" in data else None,
        template=read_text(resources.override(data["template"])) if "template" in data else None,
        shortcuts=read_shortcuts(data.get("settings", {})),
        fixed_args={name: frozenset(data["fixed"])},
        fixed_environment={name: frozenset({MARK})},
    )
    return Configurable(subject=subject, moved=data.get("moved", {}), tunables=read_tunables(data["tunables"]))


def _documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))


def _component(documents: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The part of kwokctl's record about one process, to be changed in place."""
    (listed,) = (one["components"] for one in documents if one["kind"] == "KwokctlConfiguration")
    (found,) = (one for one in listed if one["name"] == name)
    part: dict[str, Any] = found
    return part
