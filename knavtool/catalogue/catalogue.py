"""The catalogue: the records that ship with knavtool, and those of the user, which add to them or replace them."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.catalogue.reading import read
from knavtool.catalogue.versions import KUBERNETES, chosen_version
from knavtool.directories import xdg_directory
from knavtool.documents.version import PATTERN, within
from knavtool.errors import DocumentError, InvalidDocument, UsageError
from knavtool.toolchain.pins import kubernetes_releases, read_programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.catalogue.records import Component
    from knavtool.toolchain.pins import Program

SHIPPED = Path(__file__).resolve().parent


def user_directory(environment: Mapping[str, str]) -> Path:
    """Where a user keeps records: `$XDG_CONFIG_HOME/knavtool/components`."""
    return xdg_directory(environment, "XDG_CONFIG_HOME", Path(".config")) / "components"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The records by name, read when they are asked for; `directories` stand for the modules of components.

    Of those in `checkouts` the programs are built there too. `kubernetes` is the release of the clusters that they are
    for.
    """

    files: Mapping[str, Path]
    directories: Mapping[str, Path] = field(default_factory=dict)
    checkouts: frozenset[str] = frozenset()
    kubernetes: str = field(default_factory=lambda: kubernetes_releases().default)
    _read: dict[Path, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str],
        *,
        directories: Iterable[str] = (),
        sources: Iterable[str] = (),
        kubernetes: str = "",
    ) -> Catalogue:
        """All records there are for this user; the file's name is the component's.

        `directories` and `sources` are `NAME=DIR` from the command line: where files come from, and programs too.
        `kubernetes` is the release they are for, by default ours.
        """
        found = {}
        for directory in (SHIPPED, user_directory(environment)):
            found.update({file.stem: file for file in sorted(directory.glob("*.yaml"))})
        files, checkouts = _directories("--files-from", directories), _directories("--source-from", sources)
        catalogue = cls(
            dict(sorted(found.items())),
            files | checkouts,
            frozenset(checkouts),
            kubernetes or kubernetes_releases().default,
        )
        for name in catalogue.directories:
            one = catalogue.component(name)
            if one.source is None:
                leader = f"; its programs are those of {one.follows}" if one.follows in catalogue.files else ""
                option = "--source-from" if name in checkouts else "--files-from"
                raise UsageError(f"{option} {name}: nothing of it comes from files of its project{leader}")
        return catalogue

    @classmethod
    def shipped(cls) -> Catalogue:
        """The records that ship with knavtool, without those of any user."""
        return cls({file.stem: file for file in sorted(SHIPPED.glob("*.yaml"))})

    def record(self, name: str, *, needed_by: str = "") -> Mapping[str, Any]:
        """A record as it is written; it fits the schema."""
        if (file := self.files.get(name)) is None:
            near = difflib.get_close_matches(name, self.files, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self.files)}"
            needed = f", which {needed_by} needs" if needed_by else ""
            raise UsageError(f"no component {name!r} in the catalogue{needed}", hint=hint)
        if file not in self._read:
            self._read[file] = _document(file)
        return self._read[file]

    def component(self, name: str, version: str = "", *, needed_by: str = "") -> Component:
        """A component, at another version than its record's if one is given."""
        record = self.record(name, needed_by=needed_by)
        if not version and (leader := record.get("follows")):
            version = self.kubernetes if leader == KUBERNETES else self.record(leader, needed_by=name)["version"]
        one = read(record, version)
        if one.source is None or name not in self.directories:
            return one
        builds = name in self.checkouts
        return replace(one, source=replace(one.source, directory=self.directories[name], builds=builds))

    def with_records_in(self, directory: Path, *, first: bool = False) -> Catalogue:
        """With the records that the components of a cluster were installed with, for names that are not there any more.

        If they come `first`, they stand for those of today too.
        """
        kept = {file.stem: file for file in sorted(directory.glob("*.json"))}
        found = {**self.files, **kept} if first else {**kept, **self.files}
        return replace(self, files=dict(sorted(found.items())))

    def needs(self, name: str) -> tuple[str, ...]:
        """What a component needs; nothing if its record is there no more."""
        return self.component(name).needs if name in self.files else ()

    def sound(self) -> tuple[list[Component], list[DocumentError]]:
        """The components in the order of their names, and what is wrong with those records of users that are wrong.

        One that is to replace a record of ours is needed by all that need ours, so that is an error.
        """
        found, wrong = self.readable()
        for name, error in wrong.items():
            if (SHIPPED / self.files[name].name).exists():
                raise error
        return found, list(wrong.values())

    def readable(self) -> tuple[list[Component], dict[str, DocumentError]]:
        """The components in the order of their names, and what is wrong with the other records, by name."""
        found: list[Component] = []
        wrong: dict[str, DocumentError] = {}
        for name in self.files:
            try:
                found.append(self.component(name))
            except DocumentError as error:
                wrong[name] = error
        return found, wrong

    def with_role(self, role: str) -> list[Component]:
        """The components that can play a role."""
        return [one for one in self.sound()[0] if one.role == role]

    def programs(self, chosen: Iterable[Component] | None = None) -> dict[str, Program]:
        """The programs of all components; those of the chosen ones at their versions."""
        at = {one.name: one for one in chosen or ()}
        found: dict[str, Program] = {}
        for own in self.sound()[0]:
            one = at.get(own.name, own)
            records = {program: _with_module(record, one) for program, record in one.programs.items()}
            found |= read_programs(records, version=one.version, tried=one.tried)
        return found

    def ordered(self, wanted: Mapping[str, str]) -> tuple[Component, ...]:
        """The wanted components (versions by name, "" for the record's) and what they need, each after what it needs.

        One that follows another has the version of that; asked for at a version, it moves all that follow the same.
        Raises UsageError for a name that is not known, for components that need each other, for those of one project
        at two versions, and for what does not work with this Kubernetes.
        """
        wanted = self._led(wanted)
        found: dict[str, Component] = {}
        asking = dict.fromkeys(wanted, "")
        while missing := [name for name in asking if name not in found]:
            for name in missing:
                leader = self.record(name, needed_by=asking[name]).get("follows", name)
                found[name] = self.component(name, wanted.get(leader, ""), needed_by=asking[name])
                _works_with(found[name], self.kubernetes)
                asking |= {need: name for need in found[name].needs if need not in asking}
        placed: dict[str, Component] = {}
        for name in found:
            _place(name, found, placed, ())
        return tuple(placed.values())

    def _led(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """What is wanted, with each version at the component that is followed, and none at those that follow."""
        led: dict[str, str] = {}
        by: dict[str, str] = {}
        for name, asked in wanted.items():
            record = self.record(name)
            leader = record.get("follows", name)
            led.setdefault(name, "")
            if not asked:
                continue
            version = chosen_version(record, asked)
            before = self.kubernetes if leader == KUBERNETES else led.get(leader)
            if before and before != version:
                raise _apart(name, version, leader, before, by.get(leader, leader))
            if leader != KUBERNETES:
                led[leader], by[leader] = version, name
        return led


def parse_wanted(texts: Iterable[str], option: str = "--with") -> dict[str, str]:
    """Versions by name from the values of an option, `kueue,jobset=v0.11.0`; "" where none is given."""
    wanted: dict[str, str] = {}
    for text in texts:
        for word in filter(None, (part.strip() for part in text.split(","))):
            name, given, version = word.partition("=")
            if not name or (given and not re.fullmatch(PATTERN, version)):
                raise UsageError(
                    f"{option} {word} is not of the form NAME or NAME=VERSION", hint="versions are as v1.2.3"
                )
            if wanted.get(name) and version and wanted[name] != version:
                raise UsageError(f"{option} names {name} at two versions, {wanted[name]} and {version}")
            wanted[name] = version or wanted.get(name, "")
    return wanted


def _works_with(one: Component, kubernetes: str) -> None:
    if one.kubernetes and not within(kubernetes, one.kubernetes):
        message = f"{one.name} {one.version} works with Kubernetes {one.kubernetes}, and this is {kubernetes}"
        raise UsageError(message, hint="--kube-version chooses another Kubernetes for a new cluster")


def _apart(name: str, version: str, leader: str, there: str, other: str) -> UsageError:
    if leader == KUBERNETES:
        message = f"{name} {version} is a part of Kubernetes, which is {there} here"
        return UsageError(message, hint=f"--kube-version {version} is another Kubernetes")
    message = f"{name} {version} and {other} {there} are of one project, and come at one version only"
    return UsageError(message, hint=f"ask for both at {version} or at {there}")


def _directories(option: str, pairs: Iterable[str]) -> dict[str, Path]:
    directories = {}
    for text in pairs:
        name, _, given = text.partition("=")
        path = Path(given).expanduser().absolute()
        if not (name and given and path.is_dir()):
            raise UsageError(f"{option} {text}: expected NAME=DIR, a component and a directory that exists")
        directories[name] = path
    return directories


def _with_module(record: Mapping[str, Any], one: Component) -> Mapping[str, Any]:
    """A record of a program, whose build knows the module of its component, or the checkout that stands for it."""
    if "build" not in record or one.source is None:
        return record
    if one.source.builds:
        return {**record, "build": {"checkout": str(one.source.directory), **record["build"]}}
    return {**record, "build": {"module": one.source.module, "sum": one.source.sum, **record["build"]}}


def _place(name: str, found: Mapping[str, Component], placed: dict[str, Component], path: tuple[str, ...]) -> None:
    if name in placed:
        return
    if name in path:
        circle = " > ".join((*path[path.index(name) :], name))
        raise UsageError(f"these components need each other: {circle}", hint="one of these links has to go")
    for before in _before(found[name], found):
        _place(before, found, placed, (*path, name))
    placed[name] = found[name]


def _before(one: Component, found: Mapping[str, Component]) -> Iterator[str]:
    yield from one.needs
    yield from (name for name in one.after if name in found)


def _document(file: Path) -> Mapping[str, Any]:
    """A record; the shipped ones are checked by tests, those of users each time."""
    shipped = SHIPPED / f"{file.stem}.yaml"
    if shipped.exists() and (file == shipped or file.suffix == ".json"):
        import yaml

        ours: Mapping[str, Any] = yaml.load(shipped.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        if file == shipped or _equals(file, ours):
            return ours
    from knavtool.catalogue.checks import contradictions
    from knavtool.documents.schema import violations
    from knavtool.documents.yaml import load

    document = load(file)
    found = violations(document, "component")
    if not found:
        found = list(contradictions(document, file.stem))
    if found:
        raise InvalidDocument(found)
    data: Mapping[str, Any] = document.data
    return data


def _equals(file: Path, ours: Mapping[str, Any]) -> bool:
    """Whether a record that a cluster was made with is ours of today; to know that costs a tenth of a check."""
    try:
        return bool(json.loads(file.read_bytes()) == ours)
    except (OSError, ValueError):
        return False
