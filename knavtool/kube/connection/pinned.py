"""One cluster for the whole of a command: what the kubeconfig said when it began.

The API client and Helm both work with that, so that they talk to the same cluster with the same credentials, and
whoever switches the current context or writes the kubeconfig meanwhile changes nothing.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import orjson

from knavtool.errors import DocumentError
from knavtool.kube.connection import access as accesses
from knavtool.kube.connection.kubeconfig import Kubeconfig, choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IN_POD = "in-cluster"
"""The name of the context of a pod, which has no kubeconfig."""


def pin(kubeconfig: Path | None, context: str | None, environment: Mapping[str, str]) -> Kubeconfig:
    """The cluster that `connect` would find now.

    Raises UsageError if there is no kubeconfig and DocumentError if it cannot be used.
    """
    files = accesses.kubeconfig_files(kubeconfig, environment)
    return choose(files, context) if files is not None else _of_pod(environment)


@contextmanager
def written(config: Kubeconfig) -> Iterator[Path]:
    """A file that says it to other programs, until the block is left."""
    # The directory is for this user alone, and so is the file: there may be keys and tokens in it.
    with TemporaryDirectory(prefix="knavtool-", ignore_cleanup_errors=True) as directory:
        path = Path(directory) / "kubeconfig"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(orjson.dumps(config.content()))
        yield path


def _of_pod(environment: Mapping[str, str]) -> Kubeconfig:
    """What Kubernetes gives a pod; the token stays in its file, because it is replaced there."""
    token = accesses.SERVICE_ACCOUNT_TOKEN
    where = f"the service account in {token.parent}"
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not (host and port):
        hint = "Kubernetes gives a pod what is missing"
        raise DocumentError(f"{where}: $KUBERNETES_SERVICE_HOST or $KUBERNETES_SERVICE_PORT is not set", hint=hint)
    address = f"[{host}]" if ":" in host else host
    return Kubeconfig(
        where=where,
        context=IN_POD,
        cluster={"server": f"https://{address}:{port}", "certificate-authority": str(token.with_name("ca.crt"))},
        user={"tokenFile": str(token)},
    )
