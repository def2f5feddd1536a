"""A recording, read line by line into `Facts`; the order of the lines does not matter."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import DocumentError
from knavtool.measure.facts import Facts, NodeState, Pod, Step, Thing
from knavtool.measure.life import happened
from knavtool.measure.places import pool_and_rack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NAME = "recording.jsonl.gz"
FORMAT = 1
"""The version of the format, which `schemas/recording.schema.json` describes."""

_RANK = {
    name: number
    for number, name in enumerate(
        ("created", "gated", "unschedulable", "nominated", "bound", "running", "ready", "unready", "disrupted")
    )
}
"""What comes first of what happened to a pod in the same moment; the rest comes after these."""
_SAMPLED = 1.0
"""Seconds between two samples: the last one is that after the end."""


def read(path: Path) -> Facts:
    """The facts of a file, or of the directory that a run wrote its reports to.

    Raises DocumentError for what is no recording or is of another format. One that was cut off is read up to there.
    """
    file = path / NAME if path.is_dir() else path
    return _Reader(file).read()


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._facts = Facts()
        self._pods: dict[str, Pod] = {}
        self._events: dict[str, list[tuple[float, int, str, str, str, bool]]] = {}
        self._steps: dict[int, Step] = {}
        self._requested: dict[tuple[float, str, str, str], int] = {}
        self._clocks: list[tuple[float, str, str]] = []
        self._gaps: list[tuple[float, str, str, str, str]] = []
        self._changes: list[tuple[float, str, str, str, Mapping[str, Any]]] = []
        self._take: Mapping[str, Callable[[Any], None]] = {
            "pod": self._pod,
            "node": self._node,
            "object": self._object,
            "step": self._step,
            "submitted": self._submitted,
            "gap": self._gap,
            "requests": self._requests,
            "process": self._process,
            "machine": self._machine,
            "loop": self._loop,
            "component": self._component,
            "environment": self._environment,
            "clock": self._clock,
            "recording": self._recording,
            "note": self._note,
            "end": self._end,
        }

    def read(self) -> Facts:
        facts = self._facts
        known = False
        for number, line in enumerate(self._lines(), 1):
            try:
                fact = orjson.loads(line)
                take = self._take.get(fact["fact"])
                if fact["fact"] == "recording":
                    known = True
                if take is not None:  # a later knavtool of this format may add kinds of facts
                    take(fact)
                    facts.end = max(facts.end, fact["at"])
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
                self._refuse(f"line {number} is no fact ({type(error).__name__}: {error})")
        if not known:
            self._refuse("it does not begin with a fact `recording`")
        self._finish()
        return facts

    def _lines(self) -> Iterator[bytes]:
        """All whole lines; a file that was cut off ends early, and so does one whose rest is damaged."""
        try:
            stream = gzip.open(self._file)  # noqa: SIM115 - closed below
            first = True
            with stream:
                while True:
                    try:
                        line = stream.readline()
                    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                        if first:
                            raise
                        self._facts.damaged = str(error)
                        return
                    if not line:
                        return
                    if not line.endswith(b"\n"):
                        self._facts.damaged = "the last line is not whole"
                        return
                    first = False
                    yield line
        except FileNotFoundError as error:
            raise DocumentError(
                f"{self._file} does not exist", hint="`knavtool run --report DIR` writes a recording to DIR"
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise DocumentError(f"{self._file} cannot be read as a recording: {reason}") from error

    def _refuse(self, reason: str) -> None:
        raise DocumentError(
            f"{self._file} is no recording of knavtool: {reason}", hint=f"a run with --report DIR writes DIR/{NAME}"
        )

    def _recording(self, fact: Any) -> None:
        if fact["format"] != FORMAT:
            raise DocumentError(
                f"{self._file} has format {fact['format']} of recordings; this knavtool reads format {FORMAT}",
                hint="use the knavtool that wrote it, or a later one",
            )
        self._facts.began = fact["began"]

    def _clock(self, fact: Any) -> None:
        self._clocks.append((fact["at"], fact["clock"], fact.get("reason", "")))

    def _end(self, _: Any) -> None:
        self._facts.whole = True

    def _note(self, fact: Any) -> None:
        if fact.get("warning"):
            self._facts.notes.append(fact["message"])

    def _environment(self, fact: Any) -> None:
        self._facts.environment.update({key: str(value) for key, value in fact.items() if key not in ("fact", "at")})

    def _component(self, fact: Any) -> None:
        told = (fact.get(name, "") for name in ("version", "settings", "changed"))
        self._facts.components.append((fact["name"], *told))
        for one in fact.get("tunables", ()):
            values = (one.get(name, "") for name in ("name", "of", "value", "source"))
            self._facts.tunables.append((fact["name"], *values))

    def _requests(self, fact: Any) -> None:
        key = (fact["at"], *map(sys.intern, (fact.get("agent", ""), fact["verb"], fact["resource"])))
        self._requested[key] = self._requested.get(key, 0) + fact["count"]

    def _process(self, fact: Any) -> None:
        self._facts.processes.append((fact["at"], sys.intern(fact["process"]), fact["cpu"], fact["memory"]))

    def _machine(self, fact: Any) -> None:
        self._facts.machine.append((fact["at"], fact["cores"], fact["busy"]))

    def _loop(self, fact: Any) -> None:
        self._facts.loop.append((fact["at"], fact["lag"]))

    def _gap(self, fact: Any) -> None:
        where = (fact["kind"], fact.get("namespace", ""))
        self._gaps.append((fact["at"], fact["event"], *where, fact.get("reason", "")))

    def _submitted(self, fact: Any) -> None:
        self._facts.submitted[fact["uid"]] = (fact["at"], fact.get("pods", 0))
        thing = self._thing(fact)
        if thing.created is None and not fact.get("existed"):
            thing.created = fact["at"]

    def _step(self, fact: Any) -> None:
        step = self._steps.setdefault(fact["step"], Step(fact["step"]))
        if fact["event"] == "started":
            step.started, step.parent = fact["at"], fact.get("parent")
            step.kind, step.name, step.detail = fact.get("kind", ""), fact.get("name", ""), fact.get("detail", "")
        else:
            step.ended, step.result, step.message = fact["at"], fact.get("result", ""), fact.get("message", "")

    def _node(self, fact: Any) -> None:
        pool, rack = pool_and_rack(fact["name"], fact.get("labels") or {})
        there = fact["event"] != "deleted" and fact.get("ready", False)
        allocatable = (
            {sys.intern(key): value for key, value in (fact.get("allocatable") or {}).items()} if there else {}
        )
        self._facts.nodes.append(
            NodeState(
                at=fact["at"],
                name=sys.intern(fact["name"]),
                allocatable=allocatable,
                pool=pool,
                rack=rack,
            )
        )

    def _object(self, fact: Any) -> None:
        thing = self._thing(fact)
        self._changes.append((fact["at"], fact["uid"], fact["event"], fact.get("moment", ""), fact))
        if fact["event"] == "created":
            thing.owner_uid, thing.owner_kind = fact.get("ownerUid", ""), fact.get("ownerKind", "")
            thing.owner = fact.get("owner", "")
            thing.role, thing.of = fact.get("role", ""), fact.get("of", "")
            thing.parent_kind = fact.get("parentKind", "")
            if not fact.get("late"):
                # The submission knows it only from the answer.
                thing.created = fact["at"] if thing.created is None else min(thing.created, fact["at"])
        elif fact["event"] == "deleted":
            thing.deleted = fact["at"]

    def _thing(self, fact: Any) -> Thing:
        thing = self._facts.things.get(fact["uid"])
        if thing is None:
            thing = Thing(fact["uid"], sys.intern(fact["kind"]), fact["name"], fact.get("namespace", ""))
            self._facts.things[fact["uid"]] = thing
        return thing

    def _pod(self, fact: Any) -> None:
        uid, event, late = fact["uid"], sys.intern(fact["event"]), fact.get("late", False)
        pod = self._pods.get(uid)
        if pod is None:
            pod = self._pods[uid] = Pod(uid, fact["name"], sys.intern(fact.get("namespace", "")))
            self._events[uid] = []
        if event == "created":
            pod.late = late
            pod.owner_uid, pod.owner_kind = sys.intern(fact.get("ownerUid", "")), sys.intern(fact.get("ownerKind", ""))
            pod.owner, pod.scheduler = sys.intern(fact.get("owner", "")), sys.intern(fact.get("scheduler", ""))
            pod.priority, pod.queue = fact.get("priority"), sys.intern(fact.get("queue", ""))
            pod.asked = fact.get("asked")
            pod.requests = {sys.intern(key): value for key, value in (fact.get("requests") or {}).items()}
            pod.gangs = {sys.intern(key): sys.intern(value) for key, value in (fact.get("gangs") or {}).items()}
        if "seen" in fact:
            self._facts.lags.append(fact["seen"] - fact["at"])
        detail = sys.intern(fact.get("node") or fact.get("reason") or "")
        self._events[uid].append((fact["at"], _RANK.get(event, len(_RANK)), event, detail, fact.get("by", ""), late))

    def _finish(self) -> None:
        facts = self._facts
        for uid, pod in self._pods.items():
            for at, _, event, detail, by, late in sorted(self._events[uid]):
                happened(pod, at, event, detail, by, late=late)
        facts.pods = sorted(self._pods.values(), key=lambda pod: (pod.created or 0.0, pod.title, pod.uid))
        facts.nodes.sort(key=lambda node: (node.at, node.name))
        facts.steps = sorted(self._steps.values(), key=lambda step: step.number)
        facts.end = _watched_until(facts)
        last = facts.end + _SAMPLED
        facts.processes = [sample for sample in facts.processes if sample[0] <= last]
        facts.machine = [sample for sample in facts.machine if sample[0] <= last]
        facts.loop = [sample for sample in facts.loop if sample[0] <= last]
        facts.things = dict(sorted(facts.things.items()))
        for at, uid, event, moment, fact in sorted(self._changes, key=lambda change: change[:4]):
            thing = facts.things[uid]
            thing.values.update(fact.get("values") or {})
            if "quota" in fact:
                thing.quota = fact["quota"]
            if event == "moment" and not fact.get("late"):
                thing.moments.append((at, moment, fact.get("holds", True), fact.get("reason", "")))
        facts.requests = [(*key, count) for key, count in self._requested.items() if key[0] <= facts.end]
        # Where one clock was given up for another, the report must say so.
        _, facts.clock, facts.clock_reason = max(self._clocks, default=(0.0, "watch", ""))
        _pair_gaps(facts, sorted(self._gaps))
        for rows in (facts.requests, facts.processes, facts.machine, facts.loop, facts.lags):
            rows.sort()
        facts.components.sort()
        facts.tunables.sort()
        facts.notes = sorted(set(facts.notes))
        facts.environment = dict(sorted(facts.environment.items()))


def _watched_until(facts: Facts) -> float:
    """The end of the last workflow, if all have ended: pods and nodes are not watched during the cleanup."""
    workflows = [step for step in facts.steps if step.kind == "workflow"]
    ends = [step.ended for step in workflows if step.ended is not None]
    return max(ends) if ends and len(ends) == len(workflows) else facts.end


def _pair_gaps(facts: Facts, gaps: list[tuple[float, str, str, str, str]]) -> None:
    began: dict[tuple[str, str], tuple[float, str]] = {}
    for at, event, kind, namespace, reason in gaps:
        if event == "began":
            began.setdefault((kind, namespace), (at, reason))
        elif (kind, namespace) in began:
            since, why = began.pop((kind, namespace))
            facts.gaps.append((kind, namespace, since, at, why))
    facts.gaps += [(kind, namespace, at, None, why) for (kind, namespace), (at, why) in began.items()]
    facts.gaps.sort(key=lambda gap: (gap[2], gap[0], gap[1]))
