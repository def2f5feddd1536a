"""Tokens that change while a command runs: read again from their file, asked again from their plugin."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from knavtool.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

Token: TypeAlias = tuple[str, float | None]
"""The value of the authorization header, and for how many seconds it is good; None: until the server refuses it."""
_READ_EVERY = 60.0
"""Seconds; how often client-go looks into a token file, which is replaced long before its token expires."""
_HEADER = "authorization"


class Credentials:
    """The authentication headers of one user.

    `first` is the token to begin with. `ask` gives a newer one; without it the token stays what it is.
    """

    def __init__(self, first: Token, ask: Callable[[], Awaitable[Token]] | None = None) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._take(first)

    async def headers(self) -> Mapping[str, str]:
        """The headers of the next request, with a new token if the time of the present one is over."""
        if self._good_until is not None and asyncio.get_running_loop().time() >= self._good_until:
            await self._replace(self._token)
        return {_HEADER: self._token} if self._token else {}

    async def renew(self, refused: Mapping[str, str]) -> None:
        """The server did not accept these headers; many requests that were sent with them ask once."""
        await self._replace(refused.get(_HEADER, ""))

    async def _replace(self, old: str) -> None:
        if self._ask is None:
            return
        async with self._asking:
            if self._token == old:
                self._take(await self._ask())

    def _take(self, token: Token) -> None:
        self._token, seconds = token
        self._good_until = None if seconds is None else asyncio.get_running_loop().time() + seconds


def from_file(path: Path) -> Credentials:
    """The token of a file that somebody keeps up to date; raises OSError if it cannot be read now."""
    last = path.read_text(encoding="utf-8").strip()

    async def read() -> Token:
        nonlocal last
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            found = ""
        # A file that is just being replaced may be empty or away; if it stays so, the server's refusal tells.
        last = found or last
        return _bearer(last), _READ_EVERY

    return Credentials((_bearer(last), _READ_EVERY), read)


async def from_plugin(settings: Any, token: str, expires: str) -> Credentials:
    """The token of a credential plugin; `settings` is the entry `exec` of the kubeconfig's user.

    `token` is the header's value that the plugin gave already, empty if it gave none, and `expires` when it ends, empty
    if it has not said so.
    """

    async def ask() -> Token:
        return await _ask_plugin(settings)

    return Credentials((token, _seconds_until(expires)) if token else await ask(), ask)


async def _ask_plugin(settings: Any) -> Token:
    from kubernetes.aio.config import ConfigException
    from kubernetes.aio.config.exec_provider import ExecProvider

    command = settings["command"]
    try:
        status = await ExecProvider(settings).run()
    except (ConfigException, OSError) as error:
        hint = str(settings.safe_get("installHint") or "") or "run it by hand, or log in to the cluster again"
        raise Unauthorized(f"the credential plugin {command} gives no credentials: {error}", hint=hint) from error
    return _bearer(str(status.get("token", ""))), _seconds_until(str(status.get("expirationTimestamp") or ""))


def _bearer(token: str) -> str:
    """The header's value; empty without a token."""
    return f"Bearer {token}" if token else ""


def _seconds_until(moment: str) -> float | None:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds() if moment else None
