"""From what was asked for to the settings of each component."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from knavtool.documents.complaints import nearest
from knavtool.errors import UsageError
from knavtool.settings.effective import effective, resolved
from knavtool.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from knavtool.settings.asked import Asked, Change
    from knavtool.settings.subject import Subject


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a cluster has that settings can be about, by name; `others` are components that it does not have."""

    here: Mapping[str, Subject]
    others: Collection[str] = field(default_factory=frozenset)

    def find(self, option: str, target: str) -> tuple[Subject, str]:
        """The subject that a target means, and the process, "" if it does not say which."""
        name, slash, process = target.partition("/")
        if (subject := self.here.get(name)) is not None:
            if not slash:
                return subject, ""
            if process in subject.processes:
                return subject, process
            near = nearest(process, subject.processes)
            has = ", ".join(subject.processes) or "none"
            raise UsageError(f"{option} {target}: {name} has no process {process}{near}", hint=f"it has {has}")
        if not slash:
            for one in self.here.values():
                if name in one.processes:
                    return one, name
        if name in self.others:
            raise UsageError(f"{option} {target}: the cluster has no {name}", hint=f"add it with --with {name}")
        known = [*self.here, *(process for one in self.here.values() for process in one.processes)]
        near = nearest(name, dict.fromkeys([*known, *self.others]))
        raise UsageError(f"{option} {target}: no component {name!r}{near}", hint=f"there are {', '.join(self.here)}")

    def with_config(self, option: str, target: str) -> Subject:
        """The subject whose configuration a target means."""
        subject, process = self.find(option, target)
        if subject.config is None or subject.template is None:
            able = ", ".join(name for name, one in self.here.items() if one.config is not None)
            message = f"{option} {target}: {subject.name} has no configuration that its record names"
            raise UsageError(message, hint=f"--args and --env may do; of this cluster {able} have one")
        if process and subject.config.process not in ("", process):
            message = f"{option} {target}: {process} has no configuration; {subject.config.process} has that"
            raise UsageError(f"{message} of {subject.name}", hint=f"say {option} {subject.name}")
        return subject

    def with_process(self, option: str, target: str) -> tuple[Subject, str]:
        """The process that a target means, with its subject."""
        subject, process = self.find(option, target)
        if not process and len(subject.processes) != 1:
            several = ", ".join(subject.processes)
            message = f"{option} {target}: {subject.name} has " + (f"the processes {several}" if several else "none")
            raise UsageError(message, hint=f"say which, as {option} {subject.processes[0]}" if several else "")
        return subject, process or subject.processes[0]


def settled(before: Mapping[str, Settings], asked: Asked, subjects: Subjects) -> dict[str, Settings]:
    """The settings by component that a cluster has from now on; raises UsageError for what does not fit.

    What was set before stays: fields, arguments and variables until they are set again, a file until another is given.
    `reset` comes first. Those of what is not there are left out.
    """
    found = {name: one for name, one in before.items() if name in subjects.here}
    for target in asked.reset:
        subject, process = subjects.find("--reset", target)
        if process and len(subject.processes) > 1:
            raise UsageError(f"--reset {target}: settings are dropped as a whole", hint=f"say --reset {subject.name}")
        found.pop(subject.name, None)
    for file in asked.files:
        name = subjects.with_config("--config", file.target).name
        whole = file.text if file.data is None else None
        found[name] = replace(found.get(name, Settings()), config=file.data or {}, text=whole, source=file.source)
    for one in asked.fields:
        name = subjects.with_config("--set", one.target).name
        known = found.get(name, Settings())
        found[name] = replace(known, fields={**known.fields, one.path: one.value})
    _no_contradiction(asked, subjects)
    for change in asked.args:
        subject, process = _changeable("--args", change, subjects)
        known = found.get(subject.name, Settings())
        of_process = {**known.args.get(process, {}), change.name: change.value}
        found[subject.name] = replace(known, args={**known.args, process: of_process})
    for change in asked.environment:
        subject, process = _changeable("--env", change, subjects)
        known = found.get(subject.name, Settings())
        of_process = {**known.environment.get(process, {}), change.name: change.value}
        found[subject.name] = replace(known, environment={**known.environment, process: of_process})
    return {name: one for name, one in found.items() if one}


def kept_values(settings: Mapping[str, Settings], asked: Asked, subjects: Subjects) -> Iterator[str]:
    """Check all configurations, and tell of values in the files of this call that knavtool needs to be others."""
    given = {subjects.with_config("--config", file.target).name for file in asked.files}
    for name, one in settings.items():
        if one.configures and (kept := effective(subjects.here[name], one).kept) and name in given:
            stays = "stays as it was" if len(kept) == 1 else "stay as they were"
            yield f"--config {name}={one.source}: {', '.join(kept)} {stays}, because knavtool needs it so"


def _changeable(option: str, change: Change, subjects: Subjects) -> tuple[Subject, str]:
    subject, process = subjects.with_process(option, change.target)
    fixed = subject.fixed_args if option == "--args" else subject.fixed_environment
    if change.name in fixed.get(process, ()):
        what = f"--{change.name}" if option == "--args" else change.name
        message = f"{option} {change.target}: knavtool needs {what} of {process} as it is"
        raise UsageError(message, hint="leave it out")
    return subject, process


def _no_contradiction(asked: Asked, subjects: Subjects) -> None:
    """UsageError if a shortcut and a path, or two names of one component, set the same to different values."""
    seen: dict[tuple[str, object], tuple[str, object]] = {}
    for one in asked.fields:
        subject = subjects.with_config("--set", one.target)
        path, value = resolved(subject, one.path, one.value)
        before, other = seen.setdefault((subject.name, path), (one.path, value))
        if other != value:
            message = f"--set {one.target}.{before} and --set {one.target}.{one.path} give the same field two values"
            raise UsageError(message, hint="leave one out")
