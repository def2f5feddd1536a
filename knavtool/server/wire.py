"""Events as JSON and as server-sent events; what is decoded equals what was encoded."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from knavtool.events import Noted, Result, StepEnded, StepProgressed, StepStarted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from knavtool.events import Event

STATUS = "status"
"""The name of the messages that hold the state of the run itself."""

_NAMES: dict[type[Event], str] = {
    StepStarted: "started",
    StepProgressed: "progressed",
    StepEnded: "ended",
    Noted: "noted",
}
_TYPES = {name: type_ for type_, name in _NAMES.items()}


class Message(NamedTuple):
    """One message of a stream; ids grow, and numbers may be left out."""

    id: int
    name: str
    data: dict[str, Any]


def encode(event: Event) -> tuple[str, dict[str, Any]]:
    """The name of an event and its fields; times are those of the clock of the process that runs the steps."""
    return _NAMES[type(event)], {field.name: getattr(event, field.name) for field in fields(event)}


def decode(name: str, data: Mapping[str, Any]) -> Event | None:
    """The event; None for a name that is not known here, because a newer server may tell more."""
    type_ = _TYPES.get(name)
    if type_ is None:
        return None
    given = dict(data)
    if type_ is StepEnded:
        given["result"] = Result(given["result"])
    event: Event = type_(**given)
    return event


def frame(message: Message) -> bytes:
    """A message as it is sent; ASCII without line ends, so that nothing in it can be taken for the end of a line."""
    return f"id: {message.id}\nevent: {message.name}\ndata: {json.dumps(message.data, default=str)}\n\n".encode("ascii")


async def messages(chunks: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    """The messages in the bytes of a stream that `frame` wrote; comments are signs of life and left out."""
    rest = b""
    async for chunk in chunks:
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode("ascii").split("\n"))
            if "data" in fields:
                yield Message(int(fields["id"]), fields["event"], json.loads(fields["data"]))
