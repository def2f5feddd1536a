"""Which cluster a command talks to: kubeconfig, context, credentials, TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool.errors import ClusterError, DocumentError, UsageError
from knavtool.kube.connection import tls
from knavtool.kube.connection.credentials import Credentials, expiry, file_token
from knavtool.kube.connection.kubeconfig import choose
from knavtool.kube.connection.users import act_as, content, identity

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from knavtool.kube.connection.kubeconfig import Kubeconfig

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds its token; the certificate of the API server's authority, `ca.crt`, is beside it."""


async def _no_other(refused: Mapping[str, str]) -> bool:  # noqa: ARG001 - nothing to renew
    return False


def _no_tls() -> None:
    """Connections are not encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach an API server.

    `headers` gives the authentication headers of the next request. `renew` is told those that the server refused, and
    says whether there are others; then `headers` gives them from then on. `tls` gives the settings of the next
    connection, and `certificate` the client certificate in PEM, for error messages about its expiry.
    `server_name` is what the server's certificate must be for, if that is not its address.
    `as_headers` say as whom the user acts. `context` is its name in the kubeconfig, empty inside a cluster.
    """

    server: str
    headers: Callable[[], Awaitable[Mapping[str, str]]]
    renew: Callable[[Mapping[str, str]], Awaitable[bool]] = _no_other
    tls: Callable[[], ssl.SSLContext | None] = _no_tls
    certificate: Callable[[], bytes] = bytes
    proxy: str | None = None
    server_name: str | None = None
    as_headers: tuple[tuple[str, str], ...] = ()
    context: str = ""


def kubeconfig_files(kubeconfig: Path | None, environment: Mapping[str, str]) -> tuple[Path, ...] | None:
    """The kubeconfigs to read in kubectl's order: the option, $KUBECONFIG (a list of files), ~/.kube/config.

    None means that there is none and the process runs inside a pod. Raises UsageError if nothing is found.
    """
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise UsageError(f"no kubeconfig at {kubeconfig}", hint="check --kubeconfig")
        return (kubeconfig,)
    listed = [item for item in environment.get("KUBECONFIG", "").split(":") if item]
    present = tuple(Path(item) for item in listed if Path(item).is_file())
    if present:
        return present
    if listed:
        raise UsageError(
            f"no kubeconfig at {':'.join(listed)} ($KUBECONFIG)",
            hint="`knavtool cluster up` makes a cluster and writes its context there",
        )
    default = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if default.is_file():
        return (default,)
    if SERVICE_ACCOUNT_TOKEN.is_file():
        return None
    raise UsageError(
        f"no cluster to talk to: no --kubeconfig, no $KUBECONFIG, no {default}",
        hint="`knavtool cluster up` makes one",
    )


async def load(files: Sequence[Path] | None, context: str | None) -> Access:
    """Make an Access of the kubeconfigs, or of the pod's service account; raises DocumentError or ClusterError."""
    if files is None:
        return _in_pod()
    return await access_of(choose(files, context))


async def access_of(config: Kubeconfig) -> Access:
    """Make an Access of one context; asks its credential plugin if it has one."""
    cluster = config.cluster
    server = _server(config)
    proxy = _proxy(config)
    authority = content(config, cluster, "certificate-authority")
    verify = not cluster.get("insecure-skip-tls-verify")
    settings = partial(tls.settings, authority, verify=verify) if server.startswith("https:") else None
    first, ask = await identity(config, authority)
    credentials = Credentials(first, ask, tls=settings)
    return Access(
        server=server,
        headers=credentials.headers,
        renew=credentials.renew,
        tls=credentials.tls,
        certificate=credentials.certificate,
        proxy=proxy,
        server_name=str(cluster.get("tls-server-name") or "") or None,
        as_headers=act_as(config),
        context=config.context,
    )


def _in_pod() -> Access:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader

    configuration = Configuration()
    where = f"the service account in {SERVICE_ACCOUNT_TOKEN.parent}"
    authority = SERVICE_ACCOUNT_TOKEN.with_name("ca.crt")
    try:
        InClusterConfigLoader(token_filename=SERVICE_ACCOUNT_TOKEN, cert_filename=authority).load_and_set(configuration)
        settings = partial(tls.settings, authority.read_bytes())
        credentials = Credentials(*file_token(SERVICE_ACCOUNT_TOKEN), tls=settings)
    except (ConfigException, OSError, ValueError) as error:
        hint = "Kubernetes gives a pod what is missing"
        raise DocumentError(f"{where}: {str(error).strip()}", hint=hint) from error
    return Access(
        server=configuration.host.rstrip("/"),
        headers=credentials.headers,
        renew=credentials.renew,
        tls=credentials.tls,
    )


def _server(config: Kubeconfig) -> str:
    server = str(config.cluster.get("server") or "").rstrip("/")
    if server and "://" not in server:
        # As client-go completes it.
        secure = any(config.cluster.get(f"certificate-authority{end}") for end in ("", "-data"))
        server = f"{'https' if secure else 'http'}://{server}"
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DocumentError(
            f"{config.where}: the cluster of the context {config.context!r} has no usable server: {server or 'none'}",
            hint="expected a URL like https://127.0.0.1:6443",
        )
    return server


def _proxy(config: Kubeconfig) -> str | None:
    proxy = str(config.cluster.get("proxy-url") or "")
    if not proxy:
        return None
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        kind = "SOCKS proxies are" if proxy.startswith("socks") else "this kind of proxy is"
        raise ClusterError(
            f"{config.where}: the context {config.context!r} has the proxy-url {shown_proxy(proxy)}: "
            f"{kind} not supported",
            hint="name an http or https proxy; through SSH, forward the API server's port with `ssh -L` instead of -D, "
            "and set tls-server-name to its former address",
        )
    return proxy


def shown_proxy(proxy: str) -> str:
    """The address of a proxy without user and password."""
    scheme, mark, rest = proxy.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def credentials_hint(certificate: bytes) -> str:
    """What to say when the server does not accept the credentials."""
    if not certificate:
        return "the token may have expired; log in to the cluster again"
    return expiry_hint(certificate) or (
        "the server does not know the authority that signed the client certificate; is this the right cluster?"
    )


def expiry_hint(certificate: bytes) -> str:
    """When the client certificate expired; empty if it is valid or there is none."""
    if not certificate:
        return ""
    expires = expiry(certificate)
    if expires is None:
        return "check the user's credentials in the kubeconfig"
    if expires >= datetime.now(UTC):
        return ""
    return f"the client certificate expired at {expires:%Y-%m-%d %H:%M} UTC; get a new one"
