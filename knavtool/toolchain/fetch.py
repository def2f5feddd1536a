"""Files over HTTP: the publisher's sum first, then the file, resumed where an earlier download ended."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from knavtool.errors import EngineError
from knavtool.toolchain import checksums
from knavtool.toolchain.store import DiskFull, writing
from knavtool.toolchain.threads import Leave, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_TIMEOUT = 10.0
_CHUNK = 1 << 18
_LIST_LIMIT = 1 << 23
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_ATTEMPTS = 3
"""Connections in a row that may end without a single byte."""


class Unavailable(Exception):
    """A source cannot give the file; the text says why, and the next source may be tried."""


class Unanswered(Unavailable):
    """A host gave no answer that says whether it has the file: it refused, failed or was not to be asked."""


class LoginRequired(Unanswered):
    """A host answered 401; `challenge` is its WWW-Authenticate header."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class NotThere(Unavailable):
    """A host answered 404."""


class HostUnreachable(Unanswered):
    """No connection to the host, so that nothing else can come from it either."""


class ChecksumMismatch(EngineError):
    """A file is not the one its publisher announced; no other source is tried behind the user's back."""


@dataclass(slots=True, kw_only=True)
class Fetcher:
    """Downloads; with a `mirror` every URL `https://HOST/PATH` is read from `MIRROR/HOST/PATH`.

    A mirror is a base URL or a local directory, as `wget --force-directories` fills it. A host that could not be
    reached once is not tried again.
    """

    mirror: str | None = None
    _unreachable: dict[str, str] = field(default_factory=dict)
    _reached: set[str] = field(default_factory=set)
    _first: dict[str, asyncio.Lock] = field(default_factory=dict)

    def address(self, url: str) -> str:
        """Where `url` is really read from."""
        if not self.mirror:
            return url
        base = self.mirror if "://" in self.mirror else Path(self.mirror).resolve().as_uri()
        parts = urlsplit(url)
        if parts.netloc == urlsplit(base).netloc:
            return url  # the mirror named it itself
        query = f"?{parts.query}" if parts.query and not base.startswith("file:") else ""
        return f"{base.rstrip('/')}/{parts.netloc}{parts.path}{query}"

    async def expected_sum(self, url: str, *, sha256: str | None, listed_at: str | None) -> str:
        """The sha256 the file at `url` must have: the pinned one, or that of the publisher's list."""
        if sha256:
            return sha256
        if not listed_at:
            raise Unavailable(f"no sha256 is known for {url}, so it is not downloaded")
        address = self.address(listed_at)
        text = await self.text(listed_at, limit=_LIST_LIMIT)
        filename = PurePosixPath(urlsplit(url).path).name
        found = checksums.find_sum(text, filename)
        if found is None:
            raise Unavailable(f"{address} lists no sha256 for {filename}, so it is not downloaded")
        return found

    async def text(self, url: str, *, limit: int, headers: Mapping[str, str] = _NO_HEADERS) -> str:
        """What is at `url`, at most `limit` bytes of it; for lists that nobody knows the sum of."""
        address = self.address(url)
        return await self._contact(address, lambda _: _read_list(address, limit, headers))

    async def download(
        self,
        url: str,
        *,
        sha256: str,
        to: Path,
        progress: Callable[[int, int], object],
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        """Fetch `url` to the file `to`, continuing what is there; afterwards `to` is complete and has the sum.

        A cancel or a lost connection leaves `to` for the next time; a wrong sum or a full disk removes it.
        """
        address = self.address(url)
        await self._contact(address, lambda leave: _Download(address, headers, sha256, to, leave, progress).run())

    async def _contact(self, address: str, work: Callable[[Leave], T]) -> T:
        """Do `work`; only one task makes the first contact with a host, and all learn from its failure."""
        host = urlsplit(address).netloc
        name = f"fetch-{host}"
        if host in self._reached:
            return await in_thread(work, name=name)
        async with self._first.setdefault(host, asyncio.Lock()):
            if host in self._unreachable:
                raise HostUnreachable(self._unreachable[host])
            try:
                result = await in_thread(work, name=name)
            except HostUnreachable as error:
                self._unreachable[host] = str(error)
                raise
            except (Unavailable, EngineError):
                self._reached.add(host)
                raise
            self._reached.add(host)
            return result


def _open(address: str, headers: Mapping[str, str], *, offset: int = 0) -> IO[bytes]:
    sent = {"User-Agent": "knavtool", "Accept-Encoding": "identity"}
    if offset:
        sent["Range"] = f"bytes={offset}-"
    try:
        # Addresses come from the pins, the user's own mirror and indexes of charts, where no other scheme is accepted.
        request = urllib.request.Request(address, headers=sent)  # noqa: S310
        for name, value in headers.items():
            # A token is for this host and not for the one that it may lead to.
            add = request.add_unredirected_header if name == "Authorization" else request.add_header
            add(name, value)
        response: IO[bytes] = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError):
            raise NotThere(f"{address} does not exist") from error
        raise _unreachable(address, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(address, error) from error
    except ValueError as error:
        raise Unavailable(f"{address} is not a usable address: {error}") from error
    return response


def _unreachable(address: str, reason: object) -> HostUnreachable:
    text = (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
    return HostUnreachable(f"cannot reach {urlsplit(address).netloc or address}: {text}")


def _refused(address: str, error: urllib.error.HTTPError) -> Unavailable:
    error.close()
    message = f"{address} answered {error.code} {error.reason}"
    if error.code == http.HTTPStatus.UNAUTHORIZED:
        return LoginRequired(message, str(error.headers.get("WWW-Authenticate") or ""))
    gone = error.code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)
    return NotThere(message) if gone else Unanswered(message)


def _read_list(address: str, limit: int, headers: Mapping[str, str]) -> str:
    try:
        with _open(address, headers) as response:
            return response.read(limit).decode("utf-8", errors="replace")
    except urllib.error.HTTPError as error:
        raise _refused(address, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"the connection to {address} was lost: {error}") from error


class _Download:
    """One file, over as many connections as it takes while each brings something."""

    def __init__(
        self,
        address: str,
        headers: Mapping[str, str],
        sha256: str,
        to: Path,
        leave: Leave,
        progress: Callable[[int, int], object],
    ) -> None:
        self.address = address
        self.headers = headers
        self.sha256 = sha256
        self.to = to
        self.leave = leave
        self.progress = progress
        self.digest, self.size = checksums.digest_of(to)
        self.total = 0
        self.told = 0.0

    def run(self) -> None:
        """Blocking; runs in a thread."""
        inherited = self.size > 0
        try:
            while self.digest.hexdigest() != self.sha256 or not self.to.exists():
                self._fetch_rest()
                if self.digest.hexdigest() == self.sha256:
                    return
                if not inherited:
                    raise self._mismatch()
                # What an earlier process left may be damaged, so that one clean download is fair.
                inherited = False
                self._restart()
        except (DiskFull, ChecksumMismatch):
            self.to.unlink(missing_ok=True)
            raise

    def _fetch_rest(self) -> None:
        fruitless = 0
        for attempt in itertools.count():
            before = self.size
            try:
                if self._fetch_once():
                    return
                reason = f"the connection ended after {self.size} of {self.total} bytes of {self.address}"
            except HostUnreachable as error:
                if attempt == 0:
                    raise
                reason = str(error)
            except (OSError, http.client.HTTPException) as error:
                reason = f"the connection was lost after {self.size} bytes of {self.address}: {error}"
            fruitless = 0 if self.size > before else fruitless + 1
            if fruitless == _ATTEMPTS:
                raise Unanswered(reason)
            if fruitless:
                time.sleep(0.2 * 2**fruitless)

    def _fetch_once(self) -> bool:
        """Read one response to its end; false if that was not the end of the file."""
        try:
            response = _open(self.address, self.headers, offset=self.size)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not self.size:
                raise _refused(self.address, error) from error
            # What lies here is longer than the file.
            error.close()
            self._restart()
            return False
        with response:
            headers = response.headers  # type: ignore[attr-defined]
            if not str(headers.get("Content-Range", "")).startswith(f"bytes {self.size}-"):
                self._restart()
            length = str(headers.get("Content-Length", ""))
            self.total = self.size + int(length) if length.isdigit() else 0
            while chunk := response.read(_CHUNK):
                self._append(chunk)
        return self.size >= self.total

    def _append(self, chunk: bytes) -> None:
        with self.leave.held(), writing(self.to), self.to.open("ab", buffering=0) as file:
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
        self.digest.update(chunk)
        self.size += len(chunk)
        if (now := time.monotonic()) - self.told > 0.1 or self.size == self.total:
            self.told = now
            self.leave.tell(self.progress, self.size, self.total)

    def _restart(self) -> None:
        with self.leave.held(), writing(self.to):
            self.to.write_bytes(b"")
        self.digest, self.size = checksums.digest_of(self.to)

    def _mismatch(self) -> ChecksumMismatch:
        return ChecksumMismatch(
            f"{self.address} has the wrong checksum and was removed\n"
            f"  expected sha256 {self.sha256}\n"
            f"  received sha256 {self.digest.hexdigest()}",
            hint="the file may have been changed in transit: check the mirror or proxy, then run the command again",
        )
