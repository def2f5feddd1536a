"""The cluster of a command is looked up once; Helm reads it from a file that nobody else changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from knavtool.errors import DocumentError, UsageError
from knavtool.kube.connection import access
from knavtool.kube.connection.pinned import pin, written
from support import kubeconfigs

SERVER = "http://127.0.0.1:1"


def test_the_file_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    path = kubeconfigs.write(tmp_path / "config", SERVER, token="swordfish")
    with written(pin(path, None, {})) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        document = yaml.safe_load(file.read_text())
    assert document["current-context"] == "test"
    assert [one["cluster"] for one in document["clusters"]] == [{"server": SERVER}]
    assert [one["user"] for one in document["users"]] == [{"token": "swordfish"}]
    assert not file.parent.exists()


async def test_what_happens_to_the_kubeconfig_meanwhile_does_not_matter(tmp_path: Path) -> None:
    path = kubeconfigs.write(tmp_path / "config", SERVER, context="mine", token="mine")
    chosen = pin(None, None, {"KUBECONFIG": str(path)})
    kubeconfigs.write(path, "http://127.0.0.1:2", context="theirs", token="theirs")
    with written(chosen) as file:
        for found in (await access.access_of(chosen), await access.load([file], None)):
            assert (found.server, found.context) == (SERVER, "mine")
            assert await found.headers() == {"authorization": "Bearer mine"}


async def test_a_pod_is_known_by_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT_TOKEN", tmp_path / "token")
    (tmp_path / "token").write_text("first")
    given = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = pin(None, None, given)
    assert found.context == "in-cluster"
    assert found.cluster == {"server": "https://[fd00::1]:443", "certificate-authority": f"{tmp_path}/ca.crt"}
    assert found.user == {"tokenFile": f"{tmp_path}/token"}
    with pytest.raises(DocumentError, match="KUBERNETES_SERVICE_HOST"):
        pin(None, None, {"HOME": str(tmp_path)})
    (tmp_path / "token").unlink()
    with pytest.raises(UsageError, match="no cluster to talk to"):
        pin(None, None, {"HOME": str(tmp_path)})
