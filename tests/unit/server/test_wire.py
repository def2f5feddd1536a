"""Events on their way to a client and back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from knavtool.events import Event, Noted, Result, StepEnded, StepId, StepProgressed, StepStarted
from knavtool.report import json_file
from knavtool.report.recorder import Recorder
from knavtool.server import wire
from support.runs import EPOCH, events_of_run, record_run

EVENTS: list[Event] = [
    StepStarted(step=StepId(1), parent=None, kind="task", name="größe\n\r\u2028", at=0.1 + 0.2, detail="\x1b[1m"),
    StepStarted(step=StepId(2), parent=StepId(1), kind="task", name="", at=1e9 / 3),
    StepProgressed(step=StepId(2), done=1, total=3, detail="data: id: event:"),
    StepEnded(step=StepId(2), result=Result.CANCELLED, at=2.5, message="\ud800", data={"a": [1, None, {"b": 0.1}]}),
    Noted(message="x", step=None, warning=True),
]


def there_and_back(event: Event) -> Event | None:
    name, data = wire.encode(event)
    return wire.decode(name, json.loads(json.dumps(data)))


@pytest.mark.parametrize("event", EVENTS)
def test_nothing_of_an_event_is_lost(event: Event) -> None:
    assert there_and_back(event) == event


def test_a_run_that_was_sent_gives_the_same_report() -> None:
    recorder = Recorder(epoch=EPOCH)
    for event in events_of_run():
        sent = there_and_back(event)
        assert sent is not None
        recorder(sent)
    assert json_file.document(recorder.record, epoch=EPOCH) == json_file.document(record_run().record, epoch=EPOCH)


def test_what_a_newer_server_tells_is_left_out() -> None:
    assert wire.decode("invented", {"at": 1}) is None


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_messages_are_found_however_the_bytes_come(size: int) -> None:
    sent = [wire.Message(number, *wire.encode(event)) for number, event in enumerate(EVENTS, 1)]
    data = b": a comment\n\n".join(wire.frame(message) for message in sent) + b": cut"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    assert [message async for message in wire.messages(chunks())] == sent
