"""What it means that a request got no answer: where it got stuck, and what to try."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError, Unreachable
from knavtool.kube.connection.access import expiry_hint, shown_proxy

if TYPE_CHECKING:
    from knavtool.kube.connection.access import Access

CONNECTED_WITHIN = 10.0
"""Seconds, for one connection: to the server, or to a proxy and then through it."""
_SERVER_ERROR = 500
_NOT_RUNNING = "is the cluster running? `knavtool cluster status` tells, `knavtool cluster up` starts one"
_PROXY_HINT = "it is the proxy-url of the cluster in the kubeconfig; correct it, or remove it if none is needed"
_UNKNOWN_AUTHORITY = "the kubeconfig's certificate-authority does not belong to this server"
_OTHER_ADDRESS = "the certificate is for other addresses; use one of them, or tls-server-name in the kubeconfig"
_CERTIFICATE_HINTS = {
    10: "the server's certificate has expired and has to be renewed; also check the clock of this machine",
    62: _OTHER_ADDRESS,
    64: _OTHER_ADDRESS,
}
"""By OpenSSL's code: expired, and certificates for other names and other IP addresses."""


def no_answer(error: BaseException, purpose: str, access: Access) -> ClusterError:
    """Unreachable, unless trying again would not help."""
    import aiohttp

    if access.proxy is not None and (trouble := _proxy_trouble(error)) is not None:
        says, final = trouble
        message = f"{purpose}: the proxy {shown_proxy(access.proxy)} {says}"
        return (ClusterError if final else Unreachable)(message, hint=_PROXY_HINT)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
        reason_text = getattr(reason, "verify_message", "") or _text(reason)
        hint = _CERTIFICATE_HINTS.get(getattr(reason, "verify_code", 0), _UNKNOWN_AUTHORITY)
        return ClusterError(f"{purpose}: the certificate of {access.server} is not trusted: {reason_text}", hint=hint)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return ClusterError(
            f"{purpose}: TLS with {access.server} failed: {_text(error.os_error)}",
            hint=expiry_hint(access.certificate())
            or "does the server speak https at that port? `kubectl config view` shows the address",
        )
    # A server that does not like the client's certificate may just close the connection.
    hint = expiry_hint(access.certificate()) or _NOT_RUNNING
    through = f" through the proxy {shown_proxy(access.proxy)}" if access.proxy is not None else ""
    return Unreachable(f"{purpose}: {access.server} does not answer{through}: {_text(error)}", hint=hint)


def _proxy_trouble(error: BaseException) -> tuple[str, bool] | None:
    """What the proxy did instead of connecting, and whether trying again would not help; None if it is not to blame."""
    import aiohttp

    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"did not connect: {error.status} {error.message}".rstrip(), error.status < _SERVER_ERROR
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"does not answer: {_text(error)}", False
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"made no connection within {2 * CONNECTED_WITHIN:g} s", False
    return None


def _text(error: BaseException) -> str:
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return (os.strerror(number) if number > 0 else error.os_error.strerror) or str(error.os_error)
    return str(error) or type(error).__name__
