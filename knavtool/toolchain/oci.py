"""Charts in registries, by the distribution specification: a tag leads to a manifest, and that to the archive's digest.

Only what anybody may read is read: a token is asked for without credentials.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from knavtool.toolchain.fetch import ChecksumMismatch, LoginRequired, NotThere, Unanswered, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from knavtool.toolchain.fetch import Fetcher

SCHEME = "oci"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ACCEPTED = (
    _MANIFEST,
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
# The second one is what Helm wrote before its version 3.
_ARCHIVES = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_LIMIT = 1 << 22
_SHOWN = 3


@dataclass(slots=True)
class Registry:
    """One repository of a registry, `oci://HOST/PATH`; `token` is what the registry gave for it."""

    address: str
    fetcher: Fetcher
    token: str = field(default="", repr=False)

    async def archive(self, tags: Iterable[str], *, digest: str = "") -> str:
        """The sha256 of the archive of the chart that one of the tags names; `digest` is that of its manifest.

        Raises Unavailable if there is none; ChecksumMismatch if the manifest is not the one with that digest.
        """
        name, layers = await self._layers(tags, digest)
        archives = [one for one in layers if isinstance(one, dict) and one.get("mediaType") in _ARCHIVES]
        found = _DIGEST.fullmatch(str(archives[0].get("digest"))) if len(archives) == 1 else None
        if found is None:
            raise Unavailable(f"{name} has {len(archives)} layers of {_ARCHIVES[0]}, expected one with its sha256")
        return found[1]

    async def download(self, sha256: str, *, to: Path, progress: Callable[[int, int], object]) -> None:
        """Fetch a blob to the file `to`, as `Fetcher.download` does."""
        url = self._url(f"blobs/sha256:{sha256}")
        await self._logged_in(
            lambda: self.fetcher.download(url, sha256=sha256, to=to, progress=progress, headers=self._headers())
        )

    async def _layers(self, tags: Iterable[str], digest: str) -> tuple[str, list[Any]]:
        """How messages call the chart, and what its manifest consists of."""
        wanted = [f"sha256:{digest}"] if digest else list(tags)
        missing: NotThere | None = None
        for reference in wanted:
            name = f"{self.address}@{reference}" if digest else f"{self.address}:{reference}"
            try:
                text = await self._text(f"manifests/{reference}")
            except NotThere as error:
                missing = missing or error
                continue
            received = hashlib.sha256(text.encode()).hexdigest()
            if digest not in ("", received):
                message = f"{name} has the wrong checksum\n  expected sha256 {digest}\n  received sha256 {received}"
                raise ChecksumMismatch(message, hint="check the mirror or proxy, then run the command again")
            return name, _layers_of(name, text)
        raise Unavailable(await self._not_there(wanted)) from missing

    async def _not_there(self, wanted: list[str]) -> str:
        """Why there is no manifest: no such tag, or no such repository."""
        try:
            listed = json.loads(await self._text("tags/list"))["tags"]
            tags = [str(one) for one in listed or ()]
        except NotThere:
            return f"there is no {self.address}"
        except (Unavailable, ValueError, KeyError, TypeError):
            return f"{self.address} has no {wanted[0]}"
        near = difflib.get_close_matches(wanted[0], tags, n=_SHOWN, cutoff=0.5) or tags[-_SHOWN:]
        return f"{self.address} has no {wanted[0]}, " + (f"but {', '.join(near)}" if near else "nor any other tag")

    async def _text(self, path: str) -> str:
        url = self._url(path)
        text: str = await self._logged_in(lambda: self.fetcher.text(url, limit=_LIMIT, headers=self._headers()))
        return text

    def _url(self, path: str) -> str:
        parts = urlsplit(self.address)
        # As with Docker and containerd, a registry of this machine needs no certificate.
        scheme = "http" if parts.hostname in ("localhost", "127.0.0.1", "::1") else "https"
        return f"{scheme}://{parts.netloc}/v2/{parts.path.strip('/')}/{path}"

    def _headers(self) -> Mapping[str, str]:
        headers = {"Accept": ", ".join(_ACCEPTED)}
        return {**headers, "Authorization": f"Bearer {self.token}"} if self.token else headers

    async def _logged_in(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, and once more with a new token if the registry wants one."""
        try:
            return await ask()
        except LoginRequired as refusal:
            self.token = await self._new_token(refusal)
        try:
            return await ask()
        except LoginRequired as refusal:
            raise _private(refusal) from refusal

    async def _new_token(self, refusal: LoginRequired) -> str:
        kind, _, rest = refusal.challenge.partition(" ")
        asked = dict(_PARAMETER.findall(rest))
        realm = asked.pop("realm", "")
        if kind.lower() != "bearer" or urlsplit(realm).scheme not in ("https", "http"):
            raise _private(refusal) from refusal
        query = urlencode({key: asked[key] for key in ("service", "scope") if key in asked})
        try:
            url = f"{realm}{'&' if '?' in realm else '?'}{query}"
            answer = json.loads(await self.fetcher.text(url, limit=_LIMIT))
            token = str(answer.get("token") or answer.get("access_token") or "")
        except (ValueError, AttributeError) as error:
            raise Unanswered(f"{realm} gave no token: {error}") from error
        except LoginRequired as error:
            raise _private(error) from error
        if not token or not token.isprintable():
            raise Unanswered(f"{realm} gave no token")
        return token


def _private(refusal: LoginRequired) -> Unanswered:
    return Unanswered(f"{refusal}; only charts that anybody may read are downloaded")


def _layers_of(name: str, text: str) -> list[Any]:
    """The layers of a manifest; Unavailable if it is not one of a chart."""
    try:
        manifest = json.loads(text)
        if "manifests" in manifest:
            kind = manifest.get("mediaType", "without a media type")
            raise Unavailable(f"{name} is no chart but an index of manifests ({kind})")
        config = manifest["config"]["mediaType"]
        if config != _CONFIG:
            raise Unavailable(f"{name} is no chart: its config is {config}, expected {_CONFIG}")
        return list(manifest["layers"])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise Unavailable(f"{name} is not a manifest: {error!r}") from error
