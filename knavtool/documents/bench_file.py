"""A bench file as frozen models: what is compared, on what, how often, and what decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.documents.cluster_file import ClusterFile, SettingsEntry, load_cluster_file, parse_cluster_file
from knavtool.documents.complaints import nearest
from knavtool.documents.duration import parse_duration
from knavtool.documents.paths import find_paths
from knavtool.documents.schema import normalized, violations
from knavtool.documents.yaml import load, path_text
from knavtool.errors import InvalidDocument, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from knavtool.documents.places import Location
    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

REPETITIONS = 5
RETRIES = 1
TIMEOUT = 1800.0
SAME_WITHIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of those that are compared: its cluster, and the workflows that run on it before the workload."""

    name: str
    cluster: ClusterFile
    setup: tuple[Path, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What decides about a measure: by which share it may be worse than the baseline's, or what it must be.

    `value` is as written: a number, a duration or a comparison.
    """

    measure: str
    worse: float | None = None
    value: str | float | None = None
    document: Document = field(repr=False)
    place: Location

    def violation(self, message: str) -> Violation:
        """Something wrong in it."""
        return self.document.violation(self.place, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFile:
    """A file that passed all checks. Paths are whole; `timeout` and `takes` are in seconds, `same_within` a share.

    `values` are a values file, if that says the nodes, and `nodes` the workflows that create them otherwise.
    """

    name: str
    file: str
    workload: tuple[Path, ...]
    contenders: tuple[Contender, ...]
    baseline: str
    description: str = ""
    values: Path | None = None
    nodes: tuple[Path, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    matrix: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    repetitions: int = REPETITIONS
    warm_up: bool = True
    retries: int = RETRIES
    timeout: float = TIMEOUT
    takes: float | None = None
    seed: int = 1
    measures: tuple[str, ...] = ()
    same_within: float = SAME_WITHIN
    verdict: tuple[Rule, ...] = ()

    def contender(self, name: str) -> Contender:
        """One of them; UsageError if there is none of that name."""
        for one in self.contenders:
            if one.name == name:
                return one
        names = [one.name for one in self.contenders]
        listed = nearest(name, names) or f"; there are: {', '.join(names)}"
        raise UsageError(f"no contender {name!r}{listed}")


def load_bench_file(path: Path, measures: Collection[str]) -> BenchFile:
    """Read and check a file; raises InvalidDocument with everything that is wrong."""
    return parse_bench_file(load(path), path.absolute().parent, measures)


def parse_bench_file(document: Document, directory: Path, measures: Collection[str]) -> BenchFile:
    """Check a document whose paths start at `directory`; raises InvalidDocument with everything that is wrong.

    `measures` are the names of all that there are.
    """
    document = normalized(document, "bench")
    wrong = violations(document, "bench")
    if wrong:
        raise InvalidDocument(wrong)
    data = document.data
    reader = _Reader(document, directory)
    read = reader.bench()
    for place, name in (
        *((("measures", index), name) for index, name in enumerate(data.get("measures", ()))),
        *((("verdict", index, "measure"), one["measure"]) for index, one in enumerate(data.get("verdict", ()))),
    ):
        if name not in measures:
            listed = nearest(name, measures) or "; docs/measures.md lists them"
            reader.wrong.append(document.violation(place, f"no measure {name!r}{listed}"))
    if reader.wrong:
        raise InvalidDocument(sorted(set(reader.wrong)))
    return read


class _Reader:
    """Reads a document of the right shape and collects what is wrong."""

    def __init__(self, document: Document, directory: Path) -> None:
        self._document = document
        self._directory = directory
        self.wrong: list[Violation] = []

    def bench(self) -> BenchFile:
        data = self._document.data
        # Nobody looks at the metrics of a repetition, and to gather them takes time from what is measured.
        plain = ClusterFile(file=self._document.file, prometheus=False)
        shared = self._cluster(data.get("cluster"), ("cluster",), plain)
        contenders = tuple(self._contender(index, one, shared) for index, one in enumerate(data["contenders"]))
        names = [one.name for one in contenders]
        for index, name in enumerate(names):
            if name in names[:index]:
                self._say(("contenders", index, "name"), f"there is a contender {name!r} already")
        baseline = data.get("baseline", names[0])
        if baseline not in names:
            listed = nearest(baseline, names) or f"; there are: {', '.join(names)}"
            self._say(("baseline",), f"no contender {baseline!r}{listed}")
        for name in sorted(data.get("variables", {}).keys() & data.get("matrix", {}).keys()):
            self._say(("matrix", name), f"the variable {name} has a value already, under `variables`")
        nodes = self._paths(data.get("nodes"), ("nodes",))
        values = nodes[0] if len(nodes) == 1 and _is_values(nodes[0]) else None
        return BenchFile(
            name=data.get("name") or self._name(),
            description=data.get("description", ""),
            file=self._document.file,
            workload=self._paths(data["workload"], ("workload",)),
            contenders=contenders,
            baseline=baseline,
            values=values,
            nodes=() if values is not None else nodes,
            variables=data.get("variables", {}),
            matrix=data.get("matrix", {}),
            repetitions=data.get("repetitions", REPETITIONS),
            warm_up=data.get("warm-up", True),
            retries=data.get("retries", RETRIES),
            timeout=self._seconds("timeout") or TIMEOUT,
            takes=self._seconds("takes"),
            seed=data.get("seed", 1),
            measures=tuple(dict.fromkeys(data.get("measures", ()))),
            same_within=_share(data["same-within"]) if "same-within" in data else SAME_WITHIN,
            verdict=tuple(self._rule(index, one) for index, one in enumerate(data.get("verdict", ()))),
        )

    def _name(self) -> str:
        stem = Path(self._document.file).stem
        return self._directory.name if stem == "bench" else stem

    def _contender(self, index: int, data: Mapping[str, Any], shared: ClusterFile) -> Contender:
        place: Location = ("contenders", index)
        cluster = self._cluster(data.get("cluster"), (*place, "cluster"), shared)
        components = dict(cluster.components)
        given = data.get("with", ())
        for one in given.split(",") if isinstance(given, str) else given:
            name, _, version = one.strip().partition("=")
            components[name] = version
        programs = {name: self._directory / Path(one).expanduser() for name, one in data.get("programs", {}).items()}
        return Contender(
            name=data["name"],
            setup=self._paths(data.get("setup"), (*place, "setup")),
            variables=data.get("variables", {}),
            cluster=replace(
                cluster,
                components=components,
                kubernetes=data.get("kubernetes", cluster.kubernetes),
                programs={**cluster.programs, **programs},
                settings=(*cluster.settings, *self._settings(data, place)),
            ),
        )

    def _settings(self, data: Mapping[str, Any], place: Location) -> list[SettingsEntry]:
        """What a contender sets of components and processes, each by its target."""
        found: dict[str, dict[str, Any]] = {}
        for target, config in data.get("config", {}).items():
            one = self._directory / Path(config).expanduser() if isinstance(config, str) else config
            found.setdefault(target, {})["config"] = one
        for written, value in data.get("set", {}).items():
            target, _, path = written.partition(".")
            found.setdefault(target, {}).setdefault("set", {})[path] = value
        for name in ("args", "env"):
            for target, given in data.get(name, {}).items():
                found.setdefault(target, {})[name] = given
        where = self._document.where(place)
        return [SettingsEntry(target=target, where=where, **given) for target, given in found.items()]

    def _cluster(self, given: Any, place: Location, before: ClusterFile) -> ClusterFile:
        """What a file or its fields say of a cluster, over what was said before."""
        if given is None:
            return before
        try:
            if isinstance(given, str):
                said = load_cluster_file(self._directory / Path(given).expanduser())
            else:
                said = parse_cluster_file(_part(self._document, given, place), self._directory)
        except InvalidDocument as error:
            inner = not isinstance(given, str)
            self.wrong += [_below(place, one) if inner else one for one in error.violations]
            return before
        return replace(
            said,
            kubernetes=said.kubernetes or before.kubernetes,
            components={**before.components, **said.components},
            settings=(*before.settings, *said.settings),
            sources={**before.sources, **said.sources},
            files={**before.files, **said.files},
            feature_gates=said.feature_gates or before.feature_gates,
            runtime_config=said.runtime_config or before.runtime_config,
            tuning=said.tuning or before.tuning,
            audit_log=before.audit_log if said.audit_log is None else said.audit_log,
            prometheus=before.prometheus if said.prometheus is None else said.prometheus,
            programs={**before.programs, **said.programs},
        )

    def _paths(self, given: str | Sequence[str] | None, place: Location) -> tuple[Path, ...]:
        """Files, which must be there."""
        if given is None:
            return ()
        each = [given] if isinstance(given, str) else given
        found, faults = find_paths([str(self._directory / one) for one in each])
        for fault in faults:
            self._say(place, fault)
        return tuple(found)

    def _seconds(self, name: str) -> float | None:
        """A duration at the top, None if it is not given."""
        if (given := self._document.data.get(name)) is None:
            return None
        try:
            if (seconds := parse_duration(given)) > 0:
                return seconds
            self._say((name,), "must be longer than zero")
        except UsageError as error:
            self._say((name,), error.message)
        return None

    def _rule(self, index: int, data: Mapping[str, Any]) -> Rule:
        worse = data.get("worse-than-baseline")
        return Rule(
            measure=data["measure"],
            worse=None if worse is None else _share(worse),
            value=data.get("value"),
            document=self._document,
            place=("verdict", index),
        )

    def _say(self, place: Location, message: str) -> None:
        self.wrong.append(self._document.violation(place, message))


def _share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


def _is_values(path: Path) -> bool:
    """Whether a file is one of values; a workflow has tasks. What cannot be read is told when it is used."""
    try:
        data = load(path).data
    except InvalidDocument:
        return False
    return isinstance(data, dict) and "nodes" in data and "tasks" not in data


def _part(document: Document, data: Any, place: Location) -> Document:
    """A part of a document as one of its own, with the places that it has in the file."""
    below = {at[len(place) :]: position for at, position in document.positions.items() if at[: len(place)] == place}
    return replace(document, data=data, positions=below)


def _below(place: Location, one: Violation) -> Violation:
    """A violation of a part, with its path in the whole."""
    return replace(one, path=f"{path_text(place)}{'' if one.path.startswith('[') else '.'}{one.path}".rstrip("."))
