"""The cluster of a command: chosen once, and the connection to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.cli.options import Target

if TYPE_CHECKING:
    from knavtool.kube.client import Client
    from knavtool.kube.connection.kubeconfig import Kubeconfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The one cluster of a command; `target` leads other programs there, if there is a file for them.

    `given` is the kubeconfig that the user named.
    """

    config: Kubeconfig
    target: Target
    given: Path | None = None

    @property
    def context(self) -> str:
        """The name of its context."""
        return self.config.context

    @property
    def server(self) -> str:
        """The server's URL, as the kubeconfig gives it."""
        return str(self.config.cluster.get("server", ""))

    @property
    def kubectl(self) -> str:
        """How a command of kubectl for it begins."""
        words = ["kubectl", *(["--kubeconfig", str(self.given)] if self.given else []), "--context", self.context]
        return shlex.join(words)

    def __str__(self) -> str:
        return f"context {self.context}, {self.server}"

    def connect(self) -> AbstractAsyncContextManager[Client]:
        """A client for it."""
        from knavtool.kube.connecting import connect_to

        return connect_to(self.config)


def choose(target: Target) -> Place:
    """Look the cluster of a command up, once: what happens to the kubeconfig from then on does not matter."""
    from knavtool.kube.connection.pinned import pin

    return Place(
        config=pin(target.kubeconfig, target.context, target.environment), target=target, given=target.kubeconfig
    )


@contextmanager
def chosen_for_helm(target: Target) -> Iterator[Place]:
    """The same for a command that uses Helm, which reads a private file until the block is left."""
    from knavtool.kube.connection.pinned import written

    place = choose(target)
    with written(place.config) as file:
        yield replace(place, target=replace(target, kubeconfig=file, context=place.context))
