"""The real programs that tests run: from KNAVTOOL_<NAME>_BINARY, else where the toolchain finds or installs them.

`python -m support.programs` installs those that only tests run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import BinaryMissing
from knavtool.events import Steps
from knavtool.harness.programs import toolchain_from_environment
from knavtool.toolchain.pins import load_pins, read_programs
from knavtool.toolchain.resolve import ALL_SOURCES, Source

_PROMETHEUS = load_pins().programs["prometheus"].version
_RELEASE = "https://github.com/prometheus/prometheus/releases/download/v{number}"
_FOR_TESTS: Mapping[str, Mapping[str, Any]] = {
    "promtool": {
        "check": {"args": ["--version"], "pattern": r"promtool, version (\S+)"},
        "releases": [
            {
                "platforms": ["linux/amd64", "linux/arm64"],
                "url": f"{_RELEASE}/prometheus-{{number}}.{{os}}-{{arch}}.tar.gz",
                "checksums": f"{_RELEASE}/sha256sums.txt",
                "member": "prometheus-{number}.{os}-{arch}/promtool",
            }
        ],
        "build": {
            "wrapper": "prometheus",
            "package": "github.com/prometheus/prometheus/cmd/promtool",
            "ldflags": "-X github.com/prometheus/common/version.Version={number}",
            "tags": ["remove_all_sd"],
        },
    }
}


@cache
def program(name: str) -> Path:
    """The program's file; it is installed if this machine has none, and the test fails if no source gives it."""
    return _found(name, frozenset(ALL_SOURCES))


def optional_program(name: str) -> Path:
    """A program that only tests run; the test is skipped if it is not there, because to build it takes minutes."""
    try:
        return _found(name, frozenset(ALL_SOURCES - {Source.BUILD}))
    except BinaryMissing as error:
        pytest.skip(f"{error.message}\n`PYTHONPATH=tests python -m support.programs` builds it")


@cache
def _found(name: str, sources: frozenset[Source]) -> Path:
    def find() -> Path:
        programs = read_programs(_FOR_TESTS, version=_PROMETHEUS)
        toolchain = toolchain_from_environment(os.environ, sources=sources, programs=programs)
        return asyncio.run(toolchain.ensure([name], steps=Steps(lambda _: None)))[name]

    # The thread has no event loop yet, so that asynchronous tests can ask too.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(find).result()


if __name__ == "__main__":
    for name in _FOR_TESTS:
        print(program(name))  # noqa: T201 - for people
