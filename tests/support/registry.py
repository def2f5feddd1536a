"""A registry on loopback that follows the distribution specification as far as Helm and knavtool use it."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.loopback import Loopback

CONFIG = "application/vnd.cncf.helm.config.v1+json"
ARCHIVE = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PATH = re.compile(r"/v2/(?P<name>[a-z0-9/_.-]+)/(?P<what>manifests|blobs|tags)/(?P<rest>\S+)")


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Registry:
    """Keeps `blobs` by digest and `manifests` by name and then tag or digest; `requests` are method and path of each.

    With `login` a token is wanted, which anybody gets who asks for it by the challenge; `basic` wants a password
    instead. With `elsewhere` blobs are on another host, which refuses whoever brings the registry's token.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.login = False
        self.basic = False
        self.elsewhere = False
        self.cut: list[int] = []
        self.tokens: set[str] = set()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _Answer(registry, self).read()

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                _Answer(registry, self).write()

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self.server = Loopback(Handler)

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def push(self, name: str, tag: str, archive: bytes, **changes: Any) -> str:
        """Keep a chart as Helm pushes it, with `changes` to its manifest; returns the digest of the manifest."""
        config = b"{}"
        manifest = {
            "schemaVersion": 2,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": ARCHIVE, "digest": digest_of(archive), "size": len(archive)}],
            **changes,
        }
        self.blobs |= {digest_of(one): one for one in (config, archive)}
        return self.put(name, tag, json.dumps(manifest).encode())

    def put(self, name: str, tag: str, manifest: bytes, kind: str = MANIFEST) -> str:
        """Keep a manifest; returns its digest."""
        digest = digest_of(manifest)
        self.manifests.setdefault(name, {}).update({tag: (kind, manifest), digest: (kind, manifest)})
        return digest

    def asked(self, what: str) -> list[str]:
        """The paths of requests that have `what` in them."""
        return [path for _, path in self.requests if what in path]

    def close(self) -> None:
        self.server.close()


class _Answer:
    """The answer to one request."""

    def __init__(self, registry: Registry, request: http.server.BaseHTTPRequestHandler) -> None:
        self.registry = registry
        self.request = request
        self.url = urlsplit(request.path)
        registry.requests.append((request.command, request.path))

    def read(self) -> None:
        registry, path = self.registry, self.url.path
        token = self.request.headers.get("Authorization", "")
        if path == "/token":
            given = uuid.uuid4().hex
            asked = {key: values[0] for key, values in parse_qs(self.url.query).items()}
            if set(asked) != {"service", "scope"}:
                self.refuse(400, "UNSUPPORTED")
                return
            registry.tokens.add(f"Bearer {given}")
            self.answer(200, json.dumps({"token": given}).encode())
        elif path.startswith("/elsewhere/"):
            # As hosts of signed addresses do.
            self.refuse(400, "UNSUPPORTED") if token else self.blob(path.removeprefix("/elsewhere/"))
        elif (registry.login or registry.basic) and token not in registry.tokens:
            service = f'service="{registry.host}",scope="repository:charts:pull"'
            challenge = f'Bearer realm="{registry.url}/token",{service}'
            self.refuse(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="x"' if registry.basic else challenge})
        elif path == "/v2/":
            self.answer(200, b"{}")
        elif (match := _PATH.fullmatch(path)) is None:
            self.refuse(404, "NAME_UNKNOWN")
        else:
            self.content(match["name"], match["what"], match["rest"])

    def content(self, name: str, what: str, rest: str) -> None:
        known = self.registry.manifests.get(name)
        if known is None and what == "tags":
            self.refuse(404, "NAME_UNKNOWN")
        elif what == "tags":
            tags = sorted(one for one in known or {} if ":" not in one)
            self.answer(200, json.dumps({"name": name, "tags": tags}).encode())
        elif what == "manifests":
            kind, manifest = (known or {}).get(rest, ("", b""))
            # A registry answers 404 to whoever does not accept the kind of what it has.
            if not manifest or kind not in self.request.headers.get("Accept", ""):
                self.refuse(404, "MANIFEST_UNKNOWN")
            else:
                self.answer(200, manifest, {"Content-Type": kind, "Docker-Content-Digest": digest_of(manifest)})
        elif self.registry.elsewhere:
            self.answer(307, b"", {"Location": f"{self.registry.url}/elsewhere/{rest}"})
        else:
            self.blob(rest)

    def blob(self, digest: str) -> None:
        data = self.registry.blobs.get(digest)
        if data is None:
            self.refuse(404, "BLOB_UNKNOWN")
            return
        wanted = self.request.headers.get("Range", "")
        self.registry.ranges.append(wanted)
        offset = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        more = {"Content-Range": f"bytes {offset}-{len(data) - 1}/{len(data)}"} if offset else {}
        self.answer(
            206 if offset else 200, data[offset:], more, cut=self.registry.cut.pop(0) if self.registry.cut else None
        )

    def write(self) -> None:
        """What a push does: begin an upload, end it with the digest, then the manifest."""
        body = self.request.rfile.read(int(self.request.headers.get("Content-Length") or 0))
        match = _PATH.fullmatch(self.url.path)
        name, what, rest = (match["name"], match["what"], match["rest"]) if match else ("", "", "")
        if what == "blobs" and rest == "uploads/":
            self.answer(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{uuid.uuid4().hex}"})
        elif what == "blobs":
            digest = parse_qs(self.url.query)["digest"][0]
            self.registry.blobs[digest] = body
            self.answer(201, b"", {"Location": f"/v2/{name}/blobs/{digest}"})
        elif what == "manifests":
            digest = self.registry.put(name, rest, body, self.request.headers["Content-Type"])
            self.answer(201, b"", {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest})
        else:
            self.refuse(404, "NAME_UNKNOWN")

    def refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.answer(status, json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode(), headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.request.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.request.send_header(key, value)
        self.request.end_headers()
        if self.request.command != "HEAD":
            self.request.wfile.write(body[:cut])
