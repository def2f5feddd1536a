"""Kubeconfig files for tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from support.certificates import Pair


def write(
    path: Path,
    server: str,
    *,
    context: str = "test",
    authority: Path | None = None,
    client: Pair | None = None,
    token: str = "",
    token_file: Path | None = None,
    server_name: str = "",
    command: str = "",
    cluster_more: Mapping[str, Any] | None = None,
    user_more: Mapping[str, Any] | None = None,
) -> Path:
    """Write a kubeconfig with one context of that name; the client's certificate is embedded, as kubectl does it.

    `command` is a credential plugin. `cluster_more` and `user_more` are fields of the entries besides.
    """
    cluster: dict[str, Any] = {"server": server, **(cluster_more or {})}
    if authority is not None:
        cluster["certificate-authority"] = str(authority)
    if server_name:
        cluster["tls-server-name"] = server_name
    user: dict[str, Any] = {"token": token} if token else {}
    if token_file is not None:
        user["tokenFile"] = str(token_file)
    if client is not None:
        user["client-certificate-data"] = base64.b64encode(client.certificate.read_bytes()).decode()
        user["client-key-data"] = base64.b64encode(client.key.read_bytes()).decode()
    if command:
        user["exec"] = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    user |= user_more or {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path
