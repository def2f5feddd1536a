"""CheckMetric against a Prometheus that answers what a test says, by a clock that moves only when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import ClusterError, DeadlineExceeded, Invalid, InvalidDocument, Unreachable
from knavtool.kube.prometheus import Sample
from knavtool.workflow.execution import ask_first
from knavtool.workflow.objects import limits
from knavtool.workflow.task import Outcome
from knavtool.workflow.tasks import check_metric
from support.clock import Clock
from support.memory import Memory
from support.workflows import Bench, faults, planned, task


class _Prometheus:
    """Answers one after the other, the last one for ever; each is a list of values or an error."""

    place = "http://p"

    def __init__(self, *answers: Sequence[float] | ClusterError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, float | None]] = []

    async def query(self, promql: str, *, retry_timeout: float | None = None) -> list[Sample]:
        self.asked.append((promql, retry_timeout))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ClusterError):
            raise answer
        return [Sample(labels={"__name__": "up", "job": f"j{number}"}, value=one) for number, one in enumerate(answer)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Timeouts end when the clock has reached them, as soon as somebody sleeps."""
    given = Clock()
    given.rule(monkeypatch, check_metric, limits)

    def timeout(seconds: float | None) -> Any:
        end = given.now + seconds if seconds is not None else None
        return _Deadline(given, end)

    limits.asyncio.timeout = timeout  # type: ignore[attr-defined]
    return given


class _Deadline:
    def __init__(self, clock: Clock, end: float | None) -> None:
        self.clock = clock
        self.end = end

    async def __aenter__(self) -> None:
        async def check() -> None:
            if self.end is not None and self.clock.now >= self.end:
                raise TimeoutError

        self.clock.while_asleep = check

    def reschedule(self, at: float) -> None:
        self.end = at

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.clock.while_asleep = None
        if kind is TimeoutError:
            raise TimeoutError


async def check(directory: Path, prometheus: _Prometheus | None, **params: Any) -> Outcome:
    given = {"query": "up", "op": "==", "value": 1, **params}
    bench = Bench(Memory(), prometheus=prometheus)
    return await bench.run(planned(directory, task("CheckMetric", "it", **given)), "it")


@pytest.mark.parametrize(
    ("op", "value", "samples", "passed"),
    [
        ("==", 1, [1, 1], True),
        ("==", 1, [1, 2], False),
        ("!=", 1, [0, 2], True),
        ("<", 0.5, [0.25], True),
        ("<=", 2, [2], True),
        (">", 2, [2], False),
        (">=", -1, [-1, float("inf")], True),
        (">=", 0, [float("nan")], False),
        (">=", 0, [], False),
    ],
)
async def test_all_samples_are_compared(
    tmp_path: Path, op: str, value: float, samples: list[float], passed: bool
) -> None:
    prometheus = _Prometheus(samples)
    assert (await check(tmp_path, prometheus, op=op, value=value)).passed is passed
    assert prometheus.asked == [("up", None)]


async def test_messages(tmp_path: Path) -> None:
    async def said(*samples: float, **params: Any) -> list[str]:
        return (await check(tmp_path, _Prometheus(samples), **params)).message.splitlines()

    assert await said(1) == ["up == 1: 1"]
    assert await said(1, 1) == ["up == 1 in all 2 samples"]
    assert await said() == ["up gave no sample, expected at least one == 1"]
    assert await said(1, 0.5, 12345678) == [
        "up: 1 of 3 samples are == 1",
        '  up{job="j1"}: expected == 1, actual 0.5',
        '  up{job="j2"}: expected == 1, actual 12345678',
    ]
    assert (await said(*[0] * 12))[-1] == "  and 2 more samples"


async def test_data_is_for_machines(tmp_path: Path) -> None:
    outcome = await check(tmp_path, _Prometheus([float("nan")]), op=">", value=0.5)
    assert outcome.data == {
        "expected": "> 0.5",
        "samples": [{"labels": {"__name__": "up", "job": "j0"}, "value": "nan"}],
    }


async def test_it_asks_every_second_until_satisfied(tmp_path: Path, clock: Clock) -> None:
    prometheus = _Prometheus([0], [], [1, 0], [1])
    assert (await check(tmp_path, prometheus, timeout="10s")).passed
    assert clock.slept == [1, 1, 1]


async def test_it_has_to_stay_so(tmp_path: Path, clock: Clock) -> None:
    prometheus = _Prometheus([1], [1], [0], [1])
    outcome = await check(tmp_path, prometheus, **{"for": "2s", "timeout": "10s"})
    assert outcome.message == "up == 1 for 2 s: 1"
    assert len(prometheus.asked) == 6


async def test_without_a_timeout_the_first_that_differs_decides(tmp_path: Path, clock: Clock) -> None:
    outcome = await check(tmp_path, _Prometheus([1], [0], [1]), **{"for": "5s"})
    assert outcome.message.splitlines()[0] == "up: 0 of 1 samples are == 1"
    assert (await check(tmp_path, _Prometheus([1]), **{"for": "5s"})).passed


async def test_a_timeout_tells_what_was_seen_last(tmp_path: Path, clock: Clock) -> None:
    outcome = await check(tmp_path, _Prometheus([0]), timeout="3s")
    assert outcome.message.splitlines() == [
        "up: 0 of 1 samples are == 1 after 3 s",
        '  up{job="j0"}: expected == 1, actual 0',
    ]
    outcome = await check(tmp_path, _Prometheus([0], [0], [1]), **{"for": "3s", "timeout": "4s"})
    assert outcome.message == "up == 1: satisfied for 1.0 s after 4 s, expected 3 s"


async def test_a_prometheus_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus = _Prometheus([1])
    prometheus.query = lambda *_, **__: asyncio.Event().wait()  # type: ignore[assignment,method-assign]
    monkeypatch.setattr(limits, "_FIRST_LOOK", 0.01)
    with pytest.raises(DeadlineExceeded, match=r"^up of http://p could not be read within 0\.01\d* s$"):
        await check(tmp_path, prometheus, timeout="10ms")


async def test_an_expression_that_is_none_has_its_place(tmp_path: Path) -> None:
    error = Invalid("ask Prometheus at http://p: 1:3: parse error: unexpected end of input", status=400)
    with pytest.raises(InvalidDocument) as caught:
        await check(tmp_path, _Prometheus(error))
    (violation,) = caught.value.violations
    assert (violation.line, violation.path) == (6, "tasks[0].params.query")
    assert violation.message == "Prometheus refuses it: 1:3: parse error: unexpected end of input"


async def test_queries_are_asked_before_the_run(tmp_path: Path) -> None:
    given = {"query": "up", "op": "==", "value": 1}
    entries = task("CheckMetric", "a", **given), task("Sleep", timeout="1s"), task("CheckMetric", **given)
    tasks = [one.task for one in planned(tmp_path, *entries).tasks() if one.task.asks_prometheus]
    assert len(tasks) == 2
    prometheus = _Prometheus([])
    await ask_first(prometheus, tasks)
    assert prometheus.asked == [("up", 0), ("up", 0)]
    with pytest.raises(InvalidDocument) as caught:
        await ask_first(_Prometheus(Invalid("no", status=400)), tasks)
    assert [violation.path for violation in caught.value.violations] == [
        "tasks[0].params.query",
        "tasks[2].params.query",
    ]
    with pytest.raises(Unreachable):
        await ask_first(_Prometheus(Unreachable("no")), tasks)


async def test_no_prometheus(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="there is no Prometheus to ask"):
        await check(tmp_path, None)


@pytest.mark.parametrize(
    ("params", "path", "said"),
    [
        ({"op": "="}, "op", "'=' is not one of ==, !=, <, <=, >, >="),
        ({"value": "1"}, "value", "expected a number, got text '1'; write 1 without quotes"),
        ({"value": True}, "value", "expected a number"),
        ({"query": " "}, "query", "expected a PromQL expression"),
        ({"for": "-1s"}, "for", "must not be negative"),
        ({"for": "10s", "timeout": "5s"}, "for", "is longer than the timeout"),
        ({"for": "soon"}, "for", "expected a number with a unit"),
        ({"timeout": "-5s"}, "timeout", "must not be negative"),
    ],
)
def test_faults(tmp_path: Path, params: dict[str, Any], path: str, said: str) -> None:
    (found,) = faults(tmp_path, task("CheckMetric", **{"query": "up", "op": "==", "value": 1, **params}))
    assert (found.path, said in found.message) == (f"tasks[0].params.{path}", True), found


def test_samples_are_written_as_prometheus_does() -> None:
    given = [{"__name__": "up", "b": "2", "a": "1"}, {"__name__": "up"}, {"a": "1"}, {}]
    assert [str(Sample(labels=labels, value=0)) for labels in given] == ['up{a="1", b="2"}', "up", '{a="1"}', "{}"]
