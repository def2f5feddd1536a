"""Certificates with which host processes serve webhooks on 127.0.0.1.

A cluster has one authority key, in `pki/webhooks/`. Every component has a certificate of that authority, with names of
its own, and a pair that it signed. All authority certificates of a cluster have the same key and subject.
"""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from knavtool.cluster.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from knavtool.cluster.layout import ClusterFiles

# A laboratory must not stop working because it grew old; clocks of containers and hosts differ a little.
_VALID = timedelta(days=3650)
_BEFORE = timedelta(days=1)
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a component serves with, as PEM files in one directory; all of them are for their owner alone."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority, which clients trust."""
        return self.directory / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The key of the authority; there only for components that want it."""
        return self.directory / "ca.key"

    @property
    def certificate(self) -> Path:
        """The certificate of the server."""
        return self.directory / "tls.crt"

    @property
    def key(self) -> Path:
        """The key of the server."""
        return self.directory / "tls.key"

    def bundle(self) -> str:
        """The authority as `caBundle` of a webhook or a conversion wants it: base64 of the PEM."""
        return base64.b64encode(self.authority.read_bytes()).decode()


def serving_pair(
    files: ClusterFiles,
    name: str,
    *,
    dns_names: Collection[str] = (),
    authority_names: Collection[str] = (),
    authority_key: bool = False,
) -> Pair:
    """The pair of a component, in `components/NAME/certs`; made once, and again if other names are wanted.

    The server's certificate is valid for 127.0.0.1, localhost and `dns_names`, that of the authority for
    `authority_names`: controllers that renew their certificates want to find their own name there. `authority_key`
    puts the authority's key beside them, in PKCS#1 ("BEGIN RSA PRIVATE KEY"), the only form such controllers read.
    """
    authority = _authority(files)
    pair = Pair(files.directory / "components" / name / "certs")
    names = ["localhost", *dns_names]
    if not _suits(pair, authority, names, authority_names):
        pair.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(pair, authority, files.context, names, authority_names)
    if authority_key:
        write_whole(pair.authority_key, _pkcs1(authority))
    else:
        pair.authority_key.unlink(missing_ok=True)
    return pair


def _authority(files: ClusterFiles) -> RSAPrivateKey:
    """The cluster's key; a new one if there is none that can be read, which no older certificate suits."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    file = files.pki / "webhooks" / "ca.key"
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    except (FileNotFoundError, ValueError):
        pass
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = rsa.generate_private_key(65537, 2048)
    write_whole(file, _pkcs1(made))
    return made


def _suits(pair: Pair, authority: RSAPrivateKey, names: Collection[str], authority_names: Collection[str]) -> bool:
    """Whether the files are there, belong together and to this authority, and have these names."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        root = x509.load_pem_x509_certificate(pair.authority.read_bytes())
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
        leaf.verify_directly_issued_by(root)
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature):
        return False
    return (
        root.public_key() == authority.public_key()
        and leaf.public_key() == key.public_key()
        and min(root.not_valid_after_utc, leaf.not_valid_after_utc) > datetime.now(UTC)
        and _dns_names(root) == set(authority_names)
        and _dns_names(leaf) == set(names)
    )


def _dns_names(certificate: x509.Certificate) -> set[str]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return set(extension.value.get_values_for_type(x509.DNSName))


def _make(
    pair: Pair, authority: RSAPrivateKey, subject: str, names: Collection[str], authority_names: Collection[str]
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{subject} webhooks")])
    root = _builder(issuer, issuer, authority).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    if authority_names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in authority_names])
        root = root.add_extension(alternative, critical=False)
    key = ec.generate_private_key(ec.SECP256R1())
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(_LOOPBACK), *(x509.DNSName(name) for name in names)])
    leaf = (
        _builder(server, issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternative, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    for file, builder in ((pair.authority, root), (pair.certificate, leaf)):
        write_whole(file, builder.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM).decode())
    write_whole(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: RSAPrivateKey | EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    authority = subject == issuer
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _pkcs1(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
