"""TLS settings made of certificates in PEM."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from knavtool.errors import ClusterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A client certificate and its key in PEM; empty if there is none."""

    chain: bytes = b""
    key: bytes = field(default=b"", repr=False)


def settings(authority: bytes, certificate: Certificate, *, verify: bool = True) -> ssl.SSLContext:
    """For a server whose certificate is of this authority, or of one that the machine trusts if none is given.

    Raises ClusterError if a certificate cannot be used.
    """
    try:
        # Comments around certificates may have any letters.
        text = authority.decode("ascii", "ignore")
        context = ssl.create_default_context(cadata=text if text and verify else None)
        # Go does not ask for all extensions that this flag wants of an authority, so many have them not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate.chain:
            _load(context, certificate)
    except (OSError, ValueError) as error:
        raise ClusterError(f"the certificates of the kubeconfig cannot be used: {error}") from error
    return context


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """OpenSSL reads certificates from files only; this one is private, and gone a moment later."""
    with tempfile.TemporaryDirectory(prefix="knavtool-") as directory:
        file = Path(directory) / "client.pem"
        file.touch(0o600)
        file.write_bytes(certificate.chain + b"\n" + certificate.key)
        # With an empty password a key that has one is refused; otherwise OpenSSL asks for it on the terminal.
        context.load_cert_chain(file, password="")
