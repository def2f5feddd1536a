"""What a recording takes from a local cluster: its audit log, the numbers of its processes, how they are set."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from knavtool import resources
from knavtool.catalogue.reading import read
from knavtool.catalogue.subjects import subject
from knavtool.documents.yaml import load_rendered
from knavtool.engines.local.audit_log import AuditLog
from knavtool.engines.local.components.component import object_of
from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.configured import configurables
from knavtool.engines.local.processes import processes, supervisor
from knavtool.engines.local.state import applied, record
from knavtool.errors import EngineError, KnavError
from knavtool.recording.samples import Component
from knavtool.settings.describing import short
from knavtool.settings.effective import differing
from knavtool.settings.tunables import RUNTIME, Tuned, tuned
from knavtool.usage import cores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from knavtool.catalogue import records as catalogue
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.settings.settings import Settings
    from knavtool.settings.subject import Subject
    from knavtool.settings.tunables import Tunable

# Names with one of these words are secret, or differ from cluster to cluster without a meaning.
_LEFT_OUT = re.compile(
    "address|addr|audit|auth|authentication|authorization|bind|ca|cert|certificate|certs|config|credentials?|data|dir"
    "|directory|file|files|host|issuer|key|kubeconfig|listen|name|password|path|peer|port|prefix|private|secret|servers"
    "|tls|token|urls?|user|username"
)
_SECRET = re.compile("credentials?|key|passwd|password|private|secret|token")
_HIDDEN = "..."
_PLACE = re.compile(r"[/~]|.*://|\S*:\d+$")
_ENVIRONMENT = ("GOGC", "GOMEMLIMIT", "GOMAXPROCS")


def open_audit_log(files: ClusterFiles) -> AuditLog | str:
    """The audit log of a cluster from now on, or why it cannot be used."""
    try:
        known = record.load(files)
        if known is None or known.audit_log != "on":
            return f"cluster {files.name} keeps no audit log; `cluster up --audit-log on` makes one that does"
        return AuditLog(files.audit_log)
    except OSError as error:
        return f"{files.audit_log} cannot be read: {error.strerror}"
    except EngineError as error:
        return error.message


class Numbers:
    """The numbers of a cluster's processes by name, as they are whenever it is called."""

    def __init__(self, files: ClusterFiles) -> None:
        self._files = files
        self._known: set[int] = set()

    def __call__(self) -> Mapping[str, int]:
        """Look at the pid files, and once at each number, whether it is that of a process of the cluster."""
        found = processes.recorded(self._files)
        if new := set(found.values()) - self._known:
            self._known |= processes.belonging(new, self._files)
        return {name: number for name, number in found.items() if number in self._known}


def components(files: ClusterFiles) -> list[Component]:
    """The processes of a cluster with version and settings; those of which nothing can be read are left out."""
    found = []
    installed = _installed(files)
    subjects = _subjects(installed)
    versions = {process.name: one.version for one in installed for process in one.processes}
    tunables = {process.name: process.tunables for one in installed for process in one.processes}
    with contextlib.suppress(EngineError):
        found += [
            Component(
                name=one.name,
                version=one.version,
                settings=settings(one.args, one.environment),
                changed=_changed(files, one.name, subjects),
                tunables=(*_tuned(configurables()[one.name].tunables, one.args), *_runtime(files, one.name)),
            )
            for one in kwokctl.processes(files)
        ]
    for told in supervisor.kept(files):
        with contextlib.suppress(KeyError):
            name = told["name"]
            known = tunables.get(name)
            found.append(
                Component(
                    name=name,
                    version=versions.get(name, ""),
                    settings=settings(told["argv"][1:]),
                    changed=_changed(files, name, subjects),
                    tunables=(*_tuned(known, told["argv"][1:]), *_runtime(files, name)) if known is not None else (),
                )
            )
    return found


def _tuned(tunables: Iterable[Tunable], args: Sequence[str]) -> Iterator[Tuned]:
    """What bounds how fast a process with these arguments works."""
    flags = dict(_flags(args))
    read = cache(_documents)
    for one in tunables:
        yield tuned(one, flags, read(one.override or flags.get("config", "")) if one.path else ())


def _documents(file: str) -> list[dict[str, Any]] | None:
    """The configuration in an override or in a file with an absolute path, None if it cannot be read."""
    try:
        return load_rendered(resources.override(file).read_text(encoding="utf-8")) if file else []
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _runtime(files: ClusterFiles, name: str) -> Iterator[Tuned]:
    """What Go's runtime was told, as it is in the environment of the process."""
    variables, defaults = {}, {}
    with contextlib.suppress(OSError, ValueError):
        number = int(files.pid(name).read_text())
        if variables := processes.environment(number, files):
            defaults = {"processors": str(cores(number)), "GOGC": "100"}
    for tunable, variable in RUNTIME.items():
        if value := variables.get(variable):
            yield Tuned(name=tunable, value=value, source="environment")
        elif default := defaults.get(tunable):
            yield Tuned(name=tunable, value=default, source="default")
        else:
            yield Tuned(name=tunable)


def settings(args: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The arguments that say how a process works, `name=value` with a space between two.

    Left out is what names a place, a file or an address, and whatever could be secret.
    """
    given = {name: value for name, value in _flags(args) if not _left_out(name, value)}
    given |= {name: value for name, value in (environment or {}).items() if name in _ENVIRONMENT}
    return " ".join(f"{name}={value}" for name, value in given.items())


def _changed(files: ClusterFiles, process: str, subjects: Mapping[str, Subject]) -> str:
    """What differs for a process from its record; as it was set if that cannot be said."""
    chosen = applied.load(files, process)
    if (about := subjects.get(process)) is None:
        return changed(chosen)
    if about.config is not None and about.config.object and about.processes[0] == process:
        chosen = replace(applied.load(files, object_of(about.name)), args=chosen.args, environment=chosen.environment)
    with contextlib.suppress(KnavError):
        chosen = differing(about, chosen)
    return changed(chosen)


def _installed(files: ClusterFiles) -> list[catalogue.Component]:
    """The components of a cluster as they were installed, without those whose records cannot be read."""
    found = []
    with contextlib.suppress(EngineError):
        known = record.load(files)
        for name, version in (known.components if known is not None else {}).items():
            # They were checked when they were installed, and every run that is recorded reads them.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, KnavError):
                found.append(read(json.loads(files.component_record(name).read_text(encoding="utf-8")), version))
    return found


def _subjects(installed: Iterable[catalogue.Component]) -> dict[str, Subject]:
    """What settings can be about, by process."""
    found = {name: one.subject for name, one in configurables().items()}
    for one in installed:
        about = subject(one)
        found |= dict.fromkeys(about.processes, about)
    return found


def changed(chosen: Settings) -> str:
    """What a user set for a process, in short; of what could be secret only that it was set."""
    args = {
        process: {name: text and (text if not _secret(name) else f"--{name}={_HIDDEN}") for name, text in flags.items()}
        for process, flags in chosen.args.items()
    }
    environment = {
        process: {name: value and (value if name in _ENVIRONMENT else _HIDDEN) for name, value in variables.items()}
        for process, variables in chosen.environment.items()
    }
    fields = {path: _HIDDEN if _secret(path) else value for path, value in chosen.fields.items()}
    config = _without_secrets(chosen.config)
    return short(replace(chosen, args=args, environment=environment, fields=fields, config=config), whole=True)


def _without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _HIDDEN if _secret(key) else _without_secrets(value) if isinstance(value, dict) else value
        for key, value in config.items()
    }


def _secret(name: str) -> bool:
    return any(map(_SECRET.fullmatch, _words(name)))


def _flags(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and value of each; the value may be the next argument."""
    for one, following in zip(args, [*args[1:], "-"], strict=False):
        if one.startswith("-"):
            name, equals, value = one.lstrip("-").partition("=")
            yield name, value if equals else "true" if following.startswith("-") else following


def _left_out(name: str, value: str) -> bool:
    return any(map(_LEFT_OUT.fullmatch, _words(name))) or _PLACE.match(value) is not None


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower())
