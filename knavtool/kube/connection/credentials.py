"""Who we are to a server, while a command runs: tokens are read again from their file, plugins are asked again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from knavtool.kube.connection.tls import Certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from knavtool.kube.connection.plugin import Plugin

_READ_EVERY = 60.0
"""Seconds; how often client-go looks into a token file, which is replaced long before its token expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The value of the authorization header, empty without a token, and the client certificate.

    `seconds` says for how long they are good; None: until the server refuses them.
    """

    authorization: str = field(default="", repr=False)
    certificate: Certificate = field(default_factory=Certificate)
    seconds: float | None = None


class Credentials:
    """The identity of one user: the headers of its requests, and the TLS settings of its connections.

    `first` is the identity to begin with. `ask` gives a newer one; without it the first one stays. `tls` makes settings
    for a client certificate; without it connections are not encrypted.
    """

    def __init__(
        self,
        first: Identity,
        ask: Callable[[], Awaitable[Identity]] | None = None,
        *,
        tls: Callable[[Certificate], ssl.SSLContext] | None = None,
    ) -> None:
        self._ask = ask
        self._tls = tls
        self._asking = asyncio.Lock()
        self._headers = _headers(first)
        self._certificate = first.certificate
        self._settings = tls(first.certificate) if tls is not None else None
        self._be_good_for(first.seconds)

    async def headers(self) -> Mapping[str, str]:
        """The headers of the next request, with a new identity if the time of the present one is over.

        The object is another one if the identity is.
        """
        if self._good_until is not None and asyncio.get_running_loop().time() >= self._good_until:
            await self.renew(self._headers)
        return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """The server did not accept a request with these headers; True if there is another identity now.

        Many requests that were sent with one identity ask once.
        """
        if self._ask is None:
            return False
        async with self._asking:
            if self._headers is refused:
                self._take(await self._ask())
        return self._headers is not refused

    def tls(self) -> ssl.SSLContext | None:
        """The settings of the next connection; other ones after the client certificate was renewed."""
        return self._settings

    def certificate(self) -> bytes:
        """The client certificate in PEM, empty if there is none."""
        return self._certificate.chain

    def _take(self, new: Identity) -> None:
        self._be_good_for(new.seconds)
        headers = _headers(new)
        if new.certificate != self._certificate:
            self._certificate = new.certificate
            self._settings = self._tls(new.certificate) if self._tls is not None else None
            self._headers = headers
        elif headers != self._headers:
            self._headers = headers

    def _be_good_for(self, seconds: float | None) -> None:
        self._good_until = None if seconds is None else asyncio.get_running_loop().time() + seconds


def file_token(path: Path) -> tuple[Identity, Callable[[], Awaitable[Identity]]]:
    """The token of a file that somebody keeps up to date, and how to read it again; raises OSError, ValueError."""
    last = path.read_text(encoding="utf-8").strip()

    async def read() -> Identity:
        nonlocal last
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            found = ""
        # A file that is just being replaced may be empty or away; if it stays so, the server's refusal tells.
        last = found or last
        return Identity(authorization=bearer(last), seconds=_READ_EVERY)

    return Identity(authorization=bearer(last), seconds=_READ_EVERY), read


async def plugin_identity(plugin: Plugin, *, interactive: bool = False) -> Identity:
    """What a credential plugin gives now; raises Unauthorized."""
    status = await plugin.ask(interactive=interactive)
    chain, key = (str(status.get(name) or "").encode() for name in ("clientCertificateData", "clientKeyData"))
    certificate = Certificate(chain=chain, key=key) if chain and key else Certificate()
    ends = [_seconds_until(str(status.get("expirationTimestamp") or "")), _certificate_seconds(certificate)]
    return Identity(
        authorization=bearer(str(status.get("token") or "")),
        certificate=certificate,
        seconds=min((end for end in ends if end is not None), default=None),
    )


def bearer(token: str) -> str:
    """The header's value; empty without a token."""
    return f"Bearer {token}" if token else ""


def expiry(certificate: bytes) -> datetime | None:
    """When a certificate in PEM ends; None if it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return None


def _headers(identity: Identity) -> Mapping[str, str]:
    return {"authorization": identity.authorization} if identity.authorization else {}


def _certificate_seconds(certificate: Certificate) -> float | None:
    end = expiry(certificate.chain) if certificate.chain else None
    return None if end is None else (end - datetime.now(UTC)).total_seconds()


def _seconds_until(moment: str) -> float | None:
    try:
        end = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (end - datetime.now(UTC)).total_seconds() if end.tzinfo is not None else None
