"""`knavtool exporter`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.connection import choose
from knavtool.cli.logs import log_to_stderr
from knavtool.cli.running import run_async
from knavtool.errors import UsageError

if TYPE_CHECKING:
    import socket

    from knavtool.exporter.seen import Tracked

_RESOURCES = ("cpu", "memory", "nvidia.com/gpu")


def exporter(
    context: typer.Context,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", envvar="KNAVTOOL_LISTEN", help="Address to listen on, as HOST:PORT. Port 0 picks a free one."
        ),
    ] = "127.0.0.1:8081",
    resource: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--resource",
            envvar="KNAVTOOL_RESOURCE",
            metavar="NAME,...",
            help=f"Resources with series for each node. Defaults to {','.join(_RESOURCES)}.",
        ),
    ] = None,
    node_label: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--node-label",
            envvar="KNAVTOOL_NODE_LABEL",
            metavar="NAME,...",
            help="Labels of nodes that become labels of these series.",
        ),
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Serve metrics of the cluster's nodes, pods and gangs for Prometheus on /metrics.

    /healthz and /readyz answer probes. Nodes, pods and PodGroups are listed once and then watched.
    """
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.exporter.groups import groups_in
    from knavtool.exporter.seen import Tracked
    from knavtool.listening import listener
    from knavtool.recording.kinds import all_kinds

    target = options.target(context, kubeconfig, kube_context)
    tracked = Tracked(
        resources=_names(resource, "--resource") or _RESOURCES,
        labels=_names(node_label, "--node-label"),
        groups=groups_in(all_kinds(Catalogue.load(target.environment).readable()[0])),
    )
    with listener(listen) as listening:
        log_to_stderr(target, "knavtool.exporter")
        run_async(_serve(target, listening, tracked))


async def _serve(target: options.Target, listening: socket.socket, tracked: Tracked) -> None:
    import asyncio
    import contextlib

    from knavtool.exporter.following import PAGE, RETRY_TIMEOUT
    from knavtool.exporter.serving import serve
    from knavtool.kube.connecting import connect_to
    from knavtool.listening import url

    # Also in a pod nothing of the large client library is needed then.
    async with connect_to(choose(target).config, retry_timeout=RETRY_TIMEOUT, page=PAGE) as gateway:
        logging.getLogger("knavtool.exporter").info(
            "serving %s/metrics for the cluster at %s", url(listening), gateway.server
        )
        # To be interrupted is the normal end.
        with contextlib.suppress(asyncio.CancelledError):
            await serve(listening, gateway, tracked)


def _names(given: list[str] | None, option: str) -> tuple[str, ...]:
    """The names of an option that may be repeated and may have several, separated by commas."""
    names = [name.strip() for text in given or () for name in text.split(",")]
    for name in names:
        if not name or set(name) & set('"\\ \n'):
            raise UsageError(f"{option} {','.join(given or ())}: {name!r} is not a name", hint=f"{option} cpu,memory")
    return tuple(dict.fromkeys(names))
