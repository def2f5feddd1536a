"""The real programs that tests run: from KNAVTOOL_<NAME>_BINARY, else where the toolchain finds or installs them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from knavtool.cli.programs import toolchain_from_environment
from knavtool.events import Steps


@cache
def program(name: str) -> Path:
    """The program's file; it is installed if this machine has none, and the test fails if no source gives it."""

    def find() -> Path:
        return asyncio.run(toolchain_from_environment().ensure([name], steps=Steps(lambda _: None)))[name]

    # The thread has no event loop yet, so that asynchronous tests can ask too.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(find).result()
