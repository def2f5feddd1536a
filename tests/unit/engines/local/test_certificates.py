"""Certificates of webhooks: what a server can serve with them, and who may read them."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from knavtool.engines.local.pki.certificates import Pair, serving_pair
from knavtool.engines.local.state.layout import ClusterFiles

SERVICE = "webhook-service.a-system.svc"


def made(files: ClusterFiles, name: str = "a", *, authority_key: bool = True) -> Pair:
    return serving_pair(files, name, dns_names=[SERVICE], authority_names=["a-ca"], authority_key=authority_key)


def shake_hands(server: tuple[Path, Path], trusted: Path, name: str) -> None:
    """Connect to a server with this certificate and key; raises ssl.SSLError if the client does not believe it."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*server)
    client = ssl.create_default_context(cafile=str(trusted))
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    def serve() -> None:
        connection, _ = listening.accept()
        try:
            with serving.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.sendall(b"well")
        except OSError:
            connection.close()  # the client hung up

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=20) as connection,
                client.wrap_socket(connection, server_hostname=name) as encrypted,
            ):
                assert encrypted.recv(4) == b"well"
        finally:
            thread.join(20)


@pytest.fixture(params=[0o022, 0o000, 0o077])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", SERVICE])
def test_a_server_is_believed_under_all_its_names(files: ClusterFiles, name: str) -> None:
    pair = made(files)
    shake_hands((pair.certificate, pair.key), pair.authority, name)


def test_a_server_is_not_believed_under_other_names_or_by_other_clusters(files: ClusterFiles, tmp_path: Path) -> None:
    pair = made(files)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands((pair.certificate, pair.key), pair.authority, "a-ca")
    other = made(ClusterFiles(tmp_path / "other", "test"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands((pair.certificate, pair.key), other.authority, "localhost")


def test_the_rules_of_controllers_that_renew_their_certificates(files: ClusterFiles) -> None:
    """They leave a Secret alone whose authority is valid for its own name and whose key they can parse."""
    pair = made(files)
    shake_hands((pair.authority, pair.authority_key), pair.authority, "a-ca")
    assert pair.authority_key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    key = load_pem_private_key(pair.authority_key.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    root = x509.load_pem_x509_certificate(pair.authority.read_bytes())
    leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    for certificate in (root, leaf):
        assert certificate.not_valid_before_utc < datetime.now(UTC) - timedelta(hours=1)
        assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3600)


def test_components_share_an_authority_but_only_those_that_want_it_have_its_key(files: ClusterFiles) -> None:
    first, second = made(files, "a"), serving_pair(files, "b", authority_names=["b-ca"])
    roots = [x509.load_pem_x509_certificate(pair.authority.read_bytes()) for pair in (first, second)]
    assert roots[0].subject == roots[1].subject
    assert roots[0].public_key() == roots[1].public_key()
    assert roots[0].serial_number != roots[1].serial_number
    shake_hands((second.certificate, second.key), first.authority, "127.0.0.1")
    assert {file.name for file in first.directory.iterdir()} == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert {file.name for file in second.directory.iterdir()} == {"ca.crt", "tls.crt", "tls.key"}
    assert base64.b64decode(second.bundle()) == second.authority.read_bytes()


def test_components_that_are_prepared_at_once_share_an_authority(files: ClusterFiles) -> None:
    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(lambda name: made(files, name), "abcdefgh"))
    assert len({pair.authority_key.read_bytes() for pair in pairs}) == 1
    shake_hands((pairs[0].certificate, pairs[0].key), pairs[7].authority, "localhost")


@pytest.mark.usefixtures("_umask")
def test_files_are_for_their_owner_alone(files: ClusterFiles) -> None:
    pair = made(files)
    for file in (*pair.directory.iterdir(), *(files.pki / "webhooks").iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    for directory in (pair.directory, files.pki / "webhooks"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory


def test_keys_are_in_no_representation(files: ClusterFiles) -> None:
    from knavtool.engines.local.pki import authority

    signed = authority.sign(
        authority.generate(), "test", authority.Names(server=frozenset({"a"}), authority=frozenset())
    )
    assert "PRIVATE" in signed.key
    assert "PRIVATE" not in repr(signed)


def contents(pair: Pair) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in pair.directory.iterdir()}


def test_a_pair_is_made_once(files: ClusterFiles) -> None:
    before = contents(made(files))
    assert contents(made(files)) == before


def test_a_key_that_is_not_wanted_any_more_goes(files: ClusterFiles) -> None:
    before = contents(made(files))
    del before["ca.key"]
    assert contents(made(files, authority_key=False)) == before


@pytest.mark.parametrize(
    "names", [{"dns_names": ["other.svc"]}, {"authority_names": ["other-ca"]}, {}], ids=["server", "authority", "none"]
)
def test_other_names_need_another_pair(files: ClusterFiles, names: dict[str, list[str]]) -> None:
    before = contents(made(files))
    pair = serving_pair(files, "a", **{"dns_names": [SERVICE], "authority_names": ["a-ca"], **names} if names else {})
    assert contents(pair)["tls.crt"] != before["tls.crt"]
    for name in ["localhost", *names.get("dns_names", [])]:
        shake_hands((pair.certificate, pair.key), pair.authority, name)


@pytest.mark.parametrize("file", ["ca.crt", "tls.crt", "tls.key"])
@pytest.mark.parametrize("damage", ["gone", "empty", "of another"])
def test_files_that_do_not_fit_are_made_again(files: ClusterFiles, file: str, damage: str) -> None:
    pair, other = made(files), made(files, "b")
    shake = contents(other)[file]
    match damage:
        case "gone":
            (pair.directory / file).unlink()
        case "empty":
            (pair.directory / file).write_bytes(b"")
        case _:
            (pair.directory / file).write_bytes(shake)
    again = made(files)
    shake_hands((again.certificate, again.key), again.authority, "localhost")
    shake_hands((again.authority, again.authority_key), again.authority, "a-ca")


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_without_the_authority_there_is_another_one(files: ClusterFiles, content: bytes | None) -> None:
    pair = made(files)
    before = contents(pair)
    secret = files.pki / "webhooks" / "ca.key"
    secret.unlink() if content is None else secret.write_bytes(content)
    assert contents(made(files)).keys() == before.keys()
    assert not set(contents(pair).values()) & set(before.values())
    shake_hands((pair.certificate, pair.key), pair.authority, "127.0.0.1")


def test_a_pair_that_has_expired_is_made_again(files: ClusterFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("knavtool.engines.local.pki.authority._VALID", timedelta(seconds=-1))
        before = contents(made(files))
    assert contents(made(files))["tls.crt"] != before["tls.crt"]
