"""The authority of a cluster's webhooks: its key, and what it signs. Only `certificates.py` uses it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.engines.local.pki.pair import Pair

# A laboratory must not stop working because it grew old; clocks of hosts and containers differ a little.
_VALID = timedelta(days=3650)
_BEFORE = timedelta(days=1)
_LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The DNS names of a server's certificate, and of the certificate of its authority."""

    server: frozenset[str]
    authority: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Signed:
    """Two certificates and the server's key, in PEM."""

    authority: str
    certificate: str
    key: str


def generate() -> RSAPrivateKey:
    """A new key for an authority; it is RSA because some controllers read no other."""
    return generate_rsa_key(65537, 2048)


def load(file: Path) -> RSAPrivateKey | None:
    """The authority's key in a file; None if there is none that can be used, so that a new one is made."""
    try:
        # That its numbers are primes is known, since we made them; asking again takes a tenth of a second.
        key = load_pem_private_key(file.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, RSAPrivateKey) else None


def pkcs1(key: RSAPrivateKey) -> str:
    """The key in PEM, as "RSA PRIVATE KEY"."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def names(pair: Pair, key: RSAPrivateKey) -> Names | None:
    """The names in the files of a pair; None if they are not whole, not of this authority or not valid any more."""
    try:
        root = x509.load_pem_x509_certificate(pair.authority.read_bytes())
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        own = load_pem_private_key(pair.key.read_bytes(), password=None)
        leaf.verify_directly_issued_by(root)
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature):
        return None
    belongs = root.public_key() == key.public_key() and leaf.public_key() == own.public_key()
    if not belongs or min(root.not_valid_after_utc, leaf.not_valid_after_utc) < datetime.now(UTC):
        return None
    return Names(server=_dns_names(leaf), authority=_dns_names(root))


def sign(key: RSAPrivateKey, name: str, wanted: Names) -> Signed:
    """A new key for a server with its certificate, and a certificate of the authority `name`."""
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    root = _builder(authority, authority, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    if wanted.authority:
        root = root.add_extension(_alternative(wanted.authority), critical=False)
    own = generate_private_key(SECP256R1())
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    leaf = (
        _builder(server, authority, own)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(_alternative(wanted.server, _LOOPBACK), critical=False)
    )
    return Signed(
        authority=root.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        certificate=leaf.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        key=own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: RSAPrivateKey | EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    signs = subject == issuer
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
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


def _alternative(dns: frozenset[str], *others: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([*others, *(x509.DNSName(name) for name in sorted(dns))])


def _dns_names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(extension.value.get_values_for_type(x509.DNSName))
