"""What users are told when the cluster does not answer, does not know them, or does not let them."""

from __future__ import annotations

import http.server
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from knavtool import resources
from knavtool.kube.client import Client
from knavtool.kube.resource import NODES, Resource
from support import kubeconfigs
from support.certificates import EXPIRED_AT, Authority, Pair
from support.cli import run_cli
from support.control_plane import LocalCluster
from support.programs import program

EXAMPLE = resources.chart("virtual-nodes") / "values-example.yaml"
WORKFLOW = resources.data_directory() / "workflows/k8s/test-job.yml"
COMMANDS: dict[str, list[str | Path]] = {
    "nodes list": ["nodes", "list"],
    "nodes apply": ["nodes", "apply", "-f", EXAMPLE],
    "nodes delete": ["nodes", "delete", "--all"],
    "run": ["run", WORKFLOW, "--cleanup"],
}
ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)

Ask = Callable[..., CompletedProcess[str]]
each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run a command against a kubeconfig; it must fail, with one error and one hint."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))

    def run(command: str, kubeconfig: Path, *, check: int = 5) -> CompletedProcess[str]:
        done = run_cli(*COMMANDS[command], "--kubeconfig", kubeconfig, check=check, cwd=tmp_path)
        assert done.stdout == ""
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1, done.stderr
        return done

    return run


@pytest.fixture
def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@each_command
def test_nobody_listens(ask: Ask, command: str, free_port: int, tmp_path: Path) -> None:
    done = ask(command, kubeconfigs.write(tmp_path / "k", f"https://127.0.0.1:{free_port}"))
    assert f"https://127.0.0.1:{free_port} does not answer" in done.stderr
    assert "knavtool cluster status" in done.stderr


@each_command
def test_an_unknown_context(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    kubeconfig = kubeconfigs.write(tmp_path / "k", "https://127.0.0.1:1")
    monkeypatch.setenv("KNAVTOOL_CONTEXT", "nowhere")
    assert "nowhere" in ask(command, kubeconfig, check=2).stderr


def test_no_kubeconfig(ask: Ask, tmp_path: Path) -> None:
    assert "no kubeconfig at" in ask("nodes list", tmp_path / "nothing", check=2).stderr


def test_certificates_that_are_not_there_any_more(ask: Ask, tmp_path: Path) -> None:
    kubeconfig = kubeconfigs.write(tmp_path / "k", "https://127.0.0.1:1", authority=tmp_path / "gone.crt")
    assert str(tmp_path / "gone.crt") in ask("nodes list", kubeconfig, check=2).stderr


@pytest.fixture
def web_page() -> Iterator[str]:
    """A web server that has the same page for everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@each_command
def test_a_web_server_that_is_no_api_server(ask: Ask, command: str, web_page: str, tmp_path: Path) -> None:
    done = ask(command, kubeconfigs.write(tmp_path / "k", web_page))
    assert f"{web_page} answers, but it is no Kubernetes API server" in done.stderr


class Users:
    """Makes kubeconfigs for users of a control plane, with certificates that its own authority signs."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self._directory = directory
        self.authority = plane.files.pki / "ca.crt"
        self._key = load_pem_private_key((plane.files.pki / "ca.key").read_bytes(), password=None)
        with warnings.catch_warnings():
            # kwokctl gives its authority the serial number 0.
            warnings.simplefilter("ignore")
            self._issuer = x509.load_pem_x509_certificate(self.authority.read_bytes()).subject
        config = yaml.safe_load(plane.kubeconfig.read_text())
        self.server = next(one["cluster"]["server"] for one in config["clusters"] if one["name"] == plane.context)

    def issue(self, name: str, *, expired: bool = False) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        end = EXPIRED_AT if expired else datetime.now(UTC) + timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=3))
            .not_valid_after(end)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())  # type: ignore[arg-type]
        pair = Pair(certificate=self._directory / f"{name}.crt", key=self._directory / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def kubeconfig(self, client: Pair | None, **more: Any) -> Path:
        given = {"authority": self.authority, "client": client, **more}
        return kubeconfigs.write(self._directory / "user.kubeconfig", given.pop("server", self.server), **given)


@pytest.fixture
def users(control_plane: LocalCluster, tmp_path: Path) -> Users:
    return Users(control_plane, tmp_path)


@pytest.mark.cluster
@each_command
def test_an_expired_certificate(ask: Ask, command: str, users: Users) -> None:
    done = ask(command, users.kubeconfig(users.issue("late", expired=True)))
    assert f"the client certificate expired at {EXPIRED_AT:%Y-%m-%d %H:%M} UTC; get a new one" in done.stderr


@pytest.mark.cluster
def test_a_certificate_of_another_authority(ask: Ask, users: Users, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("somebody", client=True)
    done = ask("nodes list", users.kubeconfig(stranger))
    assert "the server does not know the authority that signed the client certificate" in done.stderr


@pytest.mark.cluster
def test_no_credentials(ask: Ask, users: Users) -> None:
    done = ask("nodes list", users.kubeconfig(None))
    assert 'User "system:anonymous" cannot' in done.stderr or "Unauthorized" in done.stderr


@pytest.mark.cluster
def test_a_token_that_nobody_knows(ask: Ask, users: Users) -> None:
    done = ask("nodes list", users.kubeconfig(None, token="unknown"))
    assert "the token may have expired" in done.stderr


@pytest.mark.cluster
@each_command
def test_a_server_of_another_authority(ask: Ask, command: str, users: Users, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").certificate
    done = ask(command, users.kubeconfig(users.issue("me"), authority=other))
    assert f"the certificate of {users.server} is not trusted" in done.stderr
    assert "the kubeconfig's certificate-authority does not belong to this server" in done.stderr


@pytest.mark.cluster
def test_a_server_of_another_name(ask: Ask, users: Users) -> None:
    done = ask("nodes list", users.kubeconfig(users.issue("me"), server_name="kubernetes.example.com"))
    assert "the certificate is for other addresses" in done.stderr


@pytest.mark.cluster
def test_http_to_a_port_that_speaks_https(ask: Ask, users: Users) -> None:
    done = ask("nodes list", users.kubeconfig(None, server=users.server.replace("https:", "http:")))
    assert "HTTP request to an HTTPS server" in done.stderr


def test_https_to_a_port_that_speaks_http(ask: Ask, web_page: str, tmp_path: Path) -> None:
    done = ask("nodes list", kubeconfigs.write(tmp_path / "k", web_page.replace("http:", "https:")))
    assert "does the server speak https at that port?" in done.stderr


@pytest.mark.cluster
def test_another_server_of_the_cluster(ask: Ask, users: Users, control_plane: LocalCluster) -> None:
    kwok = control_plane.status()["kwok"]["endpoint"]
    done = ask("nodes list", users.kubeconfig(None, server=kwok))
    assert f"{kwok} answers, but it is no Kubernetes API server" in done.stderr


@pytest.mark.cluster
@each_command
def test_a_user_without_rights(ask: Ask, command: str, users: Users, control_plane: LocalCluster) -> None:
    done = ask(command, users.kubeconfig(users.issue("nobody")))
    refused = {
        "run": "this account may not create, list, watch or delete nodes",
    }.get(command, 'User "nobody" cannot list resource "nodes" in API group "" at the cluster scope')
    assert refused in done.stderr
    assert control_plane.ask(lambda client: client.list(NODES)) == []


@pytest.fixture
def reader(control_plane: LocalCluster) -> Iterator[str]:
    """A user who may read everything and write nothing."""
    name = "reader"
    role = {
        "apiVersion": ROLES.api_version,
        "kind": ROLES.kind,
        "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        "apiVersion": BINDINGS.api_version,
        "kind": BINDINGS.kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": name},
        "subjects": [{"apiGroup": ROLES.group, "kind": "User", "name": name}],
    }

    async def make(client: Client) -> None:
        await client.create(ROLES, role)
        await client.create(BINDINGS, binding)

    async def remove(client: Client) -> None:
        await client.delete(BINDINGS, name)
        await client.delete(ROLES, name)

    control_plane.ask(make)
    yield name
    control_plane.ask(remove)


@pytest.mark.cluster
@pytest.mark.parametrize("command", ["nodes apply", "run"])
def test_a_user_who_may_only_read(
    ask: Ask, command: str, users: Users, reader: str, control_plane: LocalCluster
) -> None:
    kubeconfig = users.kubeconfig(users.issue(reader))
    assert run_cli("nodes", "list", "--kubeconfig", kubeconfig).stdout == ""
    done = ask(command, kubeconfig)
    refused = {
        "run": "this account may not create or delete nodes",
    }.get(command, 'User "reader" cannot create resource "nodes" in API group "" at the cluster scope')
    assert refused in done.stderr
    assert control_plane.ask(lambda client: client.list(NODES)) == []


def test_a_server_that_hangs_up(ask: Ask, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.serving(authority.issue("server"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        kubeconfig = kubeconfigs.write(tmp_path / "k", f"https://127.0.0.1:{port}", authority=authority.certificate)
        try:
            assert "does not answer" in ask("nodes list", kubeconfig).stderr
        finally:
            thread.join(10)
    assert not thread.is_alive()
