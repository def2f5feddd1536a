"""Asking a program for its version."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from knavtool.toolchain.processes import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.toolchain.pins import Program, VersionCheck

_PATIENCE = 10.0


async def wrong_version(
    program: Program, check: VersionCheck, path: Path, *, environment: Mapping[str, str]
) -> str | None:
    """Run `path` and say what is wrong with it; None if it is the pinned version."""
    try:
        async with asyncio.timeout(_PATIENCE):
            finished = await run([str(path), *check.args], environment=environment)
    except TimeoutError:
        return f"{path} did not tell its version within {_PATIENCE:.0f} s"
    except (OSError, ValueError) as error:
        return f"{path} cannot be run: {error}"
    # Prometheus once wrote its version to stderr, so both count.
    match = re.search(check.pattern, f"{finished.stdout}\n{finished.stderr}")
    if match is None:
        return f"{path} did not tell its version (exit code {finished.code})"
    if match[1].removeprefix("v") != program.version.removeprefix("v"):
        return f"{path} has version {match[1]}, and {program.version} is needed"
    return None
