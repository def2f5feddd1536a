"""Which cluster a command talks to: kubeconfig, context, credentials, TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError, DocumentError, UsageError
from knavtool.kube.credentials import Credentials, from_file, from_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds its token; the certificate of the API server's authority, `ca.crt`, is beside it."""


async def _no_other(refused: Mapping[str, str]) -> None:
    """Nothing to renew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach an API server.

    `headers` gives the authentication headers of the next request. `renew` is told those that the server refused; if
    there are others, `headers` gives them from then on.
    `certificate` is the client certificate's file, named in error messages about expiry.
    `server_name` is what the server's certificate must be for, if that is not its address.
    `context` is its name in the kubeconfig, empty inside a cluster.
    """

    server: str
    tls: ssl.SSLContext | None
    headers: Callable[[], Awaitable[Mapping[str, str]]]
    renew: Callable[[Mapping[str, str]], Awaitable[None]] = _no_other
    certificate: Path | None = None
    proxy: str | None = None
    server_name: str | None = None
    context: str = ""


def kubeconfig_argument(kubeconfig: Path | None, environment: Mapping[str, str]) -> str | None:
    """The kubeconfig to use in kubectl's order: the option, $KUBECONFIG (a list of files), ~/.kube/config.

    None means that there is none and the process runs inside a pod. Raises UsageError if nothing is found.
    """
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise UsageError(f"no kubeconfig at {kubeconfig}", hint="check --kubeconfig")
        return str(kubeconfig)
    listed = [item for item in environment.get("KUBECONFIG", "").split(":") if item]
    present = [item for item in listed if Path(item).is_file()]
    if present:
        return ":".join(present)
    if listed:
        raise UsageError(
            f"no kubeconfig at {':'.join(listed)} ($KUBECONFIG)",
            hint="`knavtool cluster up` makes a cluster and writes its context there",
        )
    default = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if default.is_file():
        return str(default)
    if SERVICE_ACCOUNT_TOKEN.is_file():
        return None
    raise UsageError(
        f"no cluster to talk to: no --kubeconfig, no $KUBECONFIG, no {default}",
        hint="`knavtool cluster up` makes one",
    )


async def load(kubeconfig: str | None, context: str | None) -> Access:
    """Read the kubeconfig (or the pod's service account) into an Access."""
    from kubernetes.aio import client, config
    from kubernetes.aio.config import ConfigException
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader
    from yaml import YAMLError

    configuration = client.Configuration()
    where = kubeconfig or f"the service account in {SERVICE_ACCOUNT_TOKEN.parent}"
    loader: Any = None
    try:
        if kubeconfig is None:
            InClusterConfigLoader(
                token_filename=SERVICE_ACCOUNT_TOKEN, cert_filename=SERVICE_ACCOUNT_TOKEN.with_name("ca.crt")
            ).load_and_set(configuration)
        else:
            loader = await config.load_kube_config(
                kubeconfig, context=context, client_configuration=configuration, persist_config=False
            )
    except ConfigException as error:
        hint = (
            "`kubectl config get-contexts` lists contexts" if kubeconfig else "Kubernetes gives a pod what is missing"
        )
        raise DocumentError(f"{where}: {str(error).strip()}", hint=hint) from error
    except YAMLError as error:
        raise DocumentError(f"{where}: not YAML: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise DocumentError(f"{where}: not a usable kubeconfig: {error}") from error
    credentials = await _credentials(configuration, loader)
    return Access(
        server=configuration.host.rstrip("/"),
        tls=_tls(configuration) if configuration.host.startswith("https") else None,
        headers=credentials.headers,
        renew=credentials.renew,
        certificate=Path(configuration.cert_file) if configuration.cert_file else None,
        proxy=configuration.proxy,
        server_name=configuration.tls_server_name,
        context=str(loader.current_context["name"]) if loader is not None else "",
    )


async def _credentials(configuration: Any, loader: Any) -> Credentials:
    """Where the token comes from; `loader` is None in a pod."""
    if loader is None:
        return from_file(SERVICE_ACCOUNT_TOKEN)
    token = configuration.api_key.get("BearerToken", "")
    user: Any = loader._user  # noqa: SLF001 - the loader does not say where a token came from
    if not user:
        return Credentials((token, None))
    if "tokenFile" in user:
        return from_file(Path(loader._get_base_path(user.path), user["tokenFile"]))  # noqa: SLF001 - see above
    if "exec" in user and not configuration.cert_file:
        # The loader goes on without a token when the plugin fails; asked again, the plugin tells why.
        return await from_plugin(user["exec"], token, str(getattr(loader, "exec_plugin_expiry", "")))
    return Credentials((token, None))


def _tls(configuration: object) -> ssl.SSLContext:
    """The same context that the generated client would build."""
    from kubernetes.aio.client.rest import RESTClientObject

    try:
        context = RESTClientObject(configuration).ssl_context
    except (OSError, ssl.SSLError) as error:
        raise ClusterError(f"the certificates of the kubeconfig cannot be used: {error}") from error
    if not isinstance(context, ssl.SSLContext):
        raise ClusterError("the kubeconfig gives no TLS settings")
    return context


def credentials_hint(certificate: Path | None) -> str:
    """What to say when the server does not accept the credentials."""
    if certificate is None:
        return "the token may have expired; log in to the cluster again"
    return expiry_hint(certificate) or (
        "the server does not know the authority that signed the client certificate; is this the right cluster?"
    )


def expiry_hint(certificate: Path | None) -> str:
    """When the client certificate expired; empty if it is valid or there is none."""
    if certificate is None:
        return ""
    from datetime import UTC, datetime

    from cryptography import x509

    try:
        expires = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return "check the user's credentials in the kubeconfig"
    if expires >= datetime.now(UTC):
        return ""
    return f"the client certificate expired at {expires:%Y-%m-%d %H:%M} UTC; get a new one"
