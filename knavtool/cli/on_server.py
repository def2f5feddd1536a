"""`knavtool run --server`: the run happens elsewhere and looks as if it happened here."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from knavtool.cli.options import Target
    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Recorder
    from knavtool.workflow.plan import Plan


async def run_on_server(
    url: str,
    token_file: Path | None,
    target: Target,
    plan: Plan,
    recorder: Recorder,
    facts: Facts,
    *,
    request: Mapping[str, object],
) -> bool:
    """Send the plan's files, follow the run, and tell its events; True if every check passed.

    `request` holds what else the server must know: options, variables, compat.
    """
    from knavtool.cli.progress import steps as progress
    from knavtool.server.client import carry_out, open_client
    from knavtool.server.collecting import collect

    if target.kubeconfig is not None or target.context is not None:
        raise UsageError("the server has a cluster of its own; leave out --kubeconfig and --context")
    submission = {**collect(plan, directory=Path.cwd()), **request}
    epoch = time.time() - time.monotonic()
    async with open_client(url, token(url, token_file, target.environment)) as client:
        with progress(target.settings) as steps:
            return await carry_out(
                client, submission, steps=steps, recorder=recorder, facts=facts, to_here=lambda at: at - epoch
            )


def token(url: str, file: Path | None, environment: Mapping[str, str]) -> str:
    """The token for a server: from a file, $KNAVTOOL_TOKEN, or what a server on this machine has written down."""
    from knavtool.server import tokens

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--server {url}: expected a URL like http://127.0.0.1:8080")
    if file is not None:
        return tokens.read(file)
    if given := environment.get("KNAVTOOL_TOKEN"):
        return tokens.checked(given, "$KNAVTOOL_TOKEN")
    token_file = generated_token(parts.port or 80, environment)
    if _is_here(parts.hostname) and token_file.is_file():
        return tokens.read(token_file)
    raise UsageError(f"no token for {url}", hint="give the server's by --token-file or $KNAVTOOL_TOKEN")


def generated_token(port: int, environment: Mapping[str, str] = os.environ) -> Path:
    """Where a server on this machine writes a token that it made itself."""
    from knavtool.directories import xdg_directory

    return xdg_directory(environment, "XDG_STATE_HOME", Path(".local/state")) / "serve" / f"{port}.token"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
