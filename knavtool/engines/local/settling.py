"""The settings that a cluster is to have, and which running processes have others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.catalogue.checks import VARIABLES
from knavtool.catalogue.subjects import subject
from knavtool.documents.yaml import dump
from knavtool.engines.local.components.component import object_of
from knavtool.engines.local.control_plane.configured import configurables
from knavtool.engines.local.state import applied
from knavtool.settings.describing import options
from knavtool.settings.effective import require_variables
from knavtool.settings.settings import Settings
from knavtool.settings.settled import Subjects, kept_values, settled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.settings.asked import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """A running process whose settings change; without a `component` it is one of the control plane.

    For a configuration in an object, `process` is "".
    """

    name: str
    process: str
    component: Component | None
    before: Settings
    after: Settings

    @property
    def title(self) -> str:
        """The process, or the component if none is started again."""
        return self.process or self.name

    def described(self) -> str:
        """What is done, for people."""
        how = f"with {options(self.name, self.after)}" if self.after else f"without {options(self.name, self.before)}"
        return f"start {self.process} again {how}" if self.process else f"configure {self.name} {how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Settings by component or process of the control plane, and what a user has to know of them."""

    settings: Mapping[str, Settings] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def settle(
    before: Mapping[str, Settings], asked: Asked, components: Iterable[Component], others: Collection[str]
) -> Settled:
    """What a cluster with these components is to have; raises UsageError for what does not fit.

    `others` are the names of all components that there are.
    """
    here = {name: one.subject for name, one in configurables().items()}
    components = list(components)
    here |= {one.name: subject(one) for one in components}
    subjects = Subjects(here, frozenset(others))
    settings = settled(before, asked, subjects)
    for one in components:
        if one.name in settings:
            _require_ports(one, settings[one.name])
    return Settled(settings=settings, notes=tuple(kept_values(settings, asked, subjects)))


def changing(
    files: ClusterFiles,
    settings: Mapping[str, Settings],
    components: Iterable[Component],
    alive: Collection[str],
) -> Iterator[Changing]:
    """Those of the running processes that were started with other settings than they are to have now.

    `components` are those that are installed.
    """
    for name in configurables():
        before, after = applied.load(files, name), settings.get(name, Settings())
        if name in alive and before != after:
            yield Changing(name=name, process=name, component=None, before=before, after=after)
    for one in components:
        whole = settings.get(one.name, Settings())
        about = subject(one)
        if about.config is not None and about.config.object:
            before, after = applied.load(files, object_of(one.name)), whole.configuration()
            if before != after:
                yield Changing(name=one.name, process="", component=one, before=before, after=after)
        for process in one.processes:
            before = applied.load(files, process.name)
            after = whole.of(process.name, configured=about.configured(process.name))
            if process.name in alive and before != after:
                yield Changing(name=one.name, process=process.name, component=one, before=before, after=after)


def of_new_cluster(settings: Mapping[str, Settings]) -> Iterator[Changing]:
    """The processes of the control plane that kwokctl starts without the settings that they are to have."""
    for name in configurables():
        if name in settings:
            yield Changing(name=name, process=name, component=None, before=Settings(), after=settings[name])


def _require_ports(one: Component, settings: Settings) -> None:
    """UsageError for a port in `${...}` that a process does not have."""
    about = subject(one)
    for process in one.processes:
        known = frozenset({*VARIABLES, *(f"port_{port}" for port in process.ports)})
        if about.configured(process.name):
            written = settings.text or dump([settings.config, settings.fields])
            require_variables(written, known, f"the configuration of {one.name}")
        for text in settings.args.get(process.name, {}).values():
            require_variables(text or "", known, f"--args {process.name}={text}")
        for key, value in settings.environment.get(process.name, {}).items():
            require_variables(value or "", known, f"--env {process.name}={key}={value}")
