"""Runs the command line in forks of a process that has imported everything, which saves each call half a second.

A call is a process of its own all the same, with its own session, environment and directory.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from pathlib import Path

IMPORTED = (
    *(f"knavtool.cli.{name}" for name in ("run", "serve", "validate", "schema", "on_server", "terminal")),
    *(f"knavtool.harness.{name}" for name in ("clusters", "programs", "recording", "running")),
    *(f"knavtool.cli.cluster.{name}" for name in ("up", "down", "status", "logs", "render")),
    *(f"knavtool.cli.nodes.{name}" for name in ("apply", "delete", "list", "render")),
    *("knavtool.engines.local.up", "knavtool.engines.local.status", "knavtool.engines.local.prometheus"),
    *("knavtool.engines.existing.up", "knavtool.engines.existing.down", "knavtool.engines.existing.status"),
    *("knavtool.nodes.apply", "knavtool.nodes.inventory", "knavtool.nodes.release", "knavtool.documents.values"),
    *(
        "knavtool.workflow.execution",
        "knavtool.kube.connecting",
        "knavtool.catalogue.checks",
        "knavtool.documents.yaml",
    ),
    *("jsonschema", "pydantic", "kubernetes.aio.config", "aiohttp", "typer._adapters", "rich.live", "rich.table"),
)


def serve(path: Path) -> None:
    """Fork for every connection until standard input ends."""
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        print("ready", flush=True)  # noqa: T201
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _attend(connection)
            connection.close()


def _attend(connection: socket.socket) -> None:
    """Run one call in a fork and send its number, then its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        call = json.loads(data)
        number = os.fork()
        if number == 0:
            connection.close()
            _run(call, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(b"%d\n" % number)
        _, status = os.waitpid(number, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def _run(call: dict[str, object], descriptors: list[int]) -> None:
    code = 70
    try:
        os.setsid()
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(call["env"])  # type: ignore[call-overload]
        os.chdir(str(call["cwd"]))
        sys.argv = list(call["argv"])  # type: ignore[call-overload]
        from knavtool.__main__ import main

        main()
        code = 0
    except SystemExit as leave:
        code = int(leave.code or 0)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 120
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
