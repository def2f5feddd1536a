"""Who the user of a kubeconfig is to the server."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from knavtool.errors import DocumentError, Unauthorized
from knavtool.kube.connection.credentials import Identity, bearer, file_token, plugin_identity
from knavtool.kube.connection.plugin import Plugin
from knavtool.kube.connection.tls import Certificate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from knavtool.kube.connection.kubeconfig import Kubeconfig


def content(config: Kubeconfig, entry: Mapping[str, Any], key: str) -> bytes:
    """What `key-data` of an entry holds, or the file at `key`; empty without either. Raises DocumentError."""
    place = f"{config.where}: context {config.context!r}"
    if data := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(str(data), validate=False)
        except ValueError:
            raise DocumentError(f"{place}: {key}-data is not base64") from None
    if not (file := entry.get(key)):
        return b""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise DocumentError(f"{place}: {key} {file} cannot be read: {error.strerror}") from None


async def identity(config: Kubeconfig, authority: bytes) -> tuple[Identity, Callable[[], Awaitable[Identity]] | None]:
    """The identity of the user to begin with, and how to get a newer one; `authority` is told to a plugin.

    As for kubectl, a token comes before a password, and a plugin counts where neither is given. Raises DocumentError
    or Unauthorized.
    """
    user = config.user
    own = Certificate(chain=content(config, user, "client-certificate"), key=content(config, user, "client-key"))
    if file := user.get("tokenFile"):
        try:
            first, read = file_token(Path(file))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise DocumentError(f"{config.where}: the tokenFile {file} cannot be read: {reason}") from None
        return _with(own, first), lambda: _later(own, read)
    if token := user.get("token"):
        return Identity(authorization=bearer(str(token)), certificate=own), None
    if user.get("username") or user.get("password"):
        pair = f"{user.get('username') or ''}:{user.get('password') or ''}"
        return Identity(authorization=f"Basic {base64.b64encode(pair.encode()).decode()}", certificate=own), None
    if isinstance(user.get("auth-provider"), dict):
        provided = partial(_provided, config)
        return _with(own, await provided()), lambda: _later(own, provided)
    if isinstance(user.get("exec"), dict):
        plugin = Plugin(user["exec"], config.cluster, authority)
        first = await plugin_identity(plugin, interactive=True)
        return _with(own, first), lambda: _later(own, partial(plugin_identity, plugin))
    return Identity(certificate=own), None


def _with(own: Certificate, identity: Identity) -> Identity:
    """The identity with the user's own certificate, unless it has another."""
    return identity if identity.certificate.chain else replace(identity, certificate=own)


async def _later(own: Certificate, ask: Callable[[], Awaitable[Identity]]) -> Identity:
    return _with(own, await ask())


async def _provided(config: Kubeconfig) -> Identity:
    """What an `auth-provider` of the client library gives; it renews a token that has expired."""
    import aiohttp
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException
    from kubernetes.aio.config.kube_config import KubeConfigLoader

    name = str(config.user["auth-provider"].get("name") or "")
    if name not in ("oidc", "gcp"):
        raise Unauthorized(
            f"{config.where}: the auth-provider {name!r} of the context {config.context!r} is not supported",
            hint="use its credential plugin (exec) instead; Kubernetes knows this provider no more either",
        )
    content = config.content()
    content["clusters"][0]["cluster"] = {"server": "http://nowhere"}  # only the user counts here
    configuration = Configuration()
    try:
        await KubeConfigLoader(config_dict=content, config_base_path="").load_and_set(configuration)
    except (ConfigException, aiohttp.ClientError, OSError, ValueError, TypeError, LookupError) as error:
        message = f"the auth-provider {name} gives no credentials: {str(error).strip() or type(error).__name__}"
        raise Unauthorized(message, hint="log in to the cluster again") from error
    return Identity(authorization=str(configuration.api_key.get("BearerToken") or ""))


def act_as(config: Kubeconfig) -> tuple[tuple[str, str], ...]:
    """The headers that say as whom the user acts."""
    user = config.user
    if not user.get("as"):
        return ()
    extra = user.get("as-user-extra") or {}
    return (
        ("Impersonate-User", str(user["as"])),
        *([("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []),
        *(("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()),
        *(
            (f"Impersonate-Extra-{quote(str(key), safe='')}", str(one))
            for key, values in extra.items()
            for one in values or ()
        ),
    )
