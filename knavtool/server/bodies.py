"""Reading the body of a request: only so much, and only for so long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import Violation
from knavtool.server.problems import Refusal

if TYPE_CHECKING:
    from fastapi import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many bytes a body may have and how many seconds it may take to come."""

    size: int
    seconds: float


async def read(request: Request, limits: Limits) -> bytes:
    """The whole body; raises Refusal (408, 413). What comes after a refusal is thrown away by the HTTP layer."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.size:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.size:
                    raise _too_large(limits)
    except TimeoutError:
        raise Refusal(
            408,
            f"the body did not come within {limits.seconds:g} s; {len(body)} bytes of it did",
            # The rest of the body would be taken for the next request.
            headers={"Connection": "close"},
        ) from None
    return bytes(body)


def text(body: bytes) -> str:
    """The body as text, without the mark that editors on Windows begin a file with; raises Refusal (400)."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = Violation("body", 0, 0, "", f"not UTF-8 text (byte {error.start})")
        raise Refusal(400, "the body is not UTF-8 text", violations=[fault]) from None


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413, f"the body is larger than {limits.size} bytes", hint="the server's --max-body allows larger ones"
    )
