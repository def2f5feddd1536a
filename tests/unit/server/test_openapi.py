"""Requests made up from the OpenAPI document of a server that runs: no faults, and answers as the document says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from support.server import TOKEN, Gate, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Text that fits the document is not therefore a workflow, and may be refused.
OPTIONS = [
    "--exclude-checks=positive_data_acceptance",
    "--max-examples=10",
    "--generation-deterministic",
    "--seed=1",
    "--suppress-health-check=all",
    "--request-timeout=30",
    "--warnings=off",
    "--no-color",
]


@pytest.mark.slow
async def test_any_request_gets_an_answer_that_the_document_describes(tmp_path: Path) -> None:
    gate = Gate()
    gate.open.set()
    async with serving(gate, root=tmp_path, limit=10**6, keep=10**6, size=10**7) as api:
        process = await asyncio.create_subprocess_exec(
            SCHEMATHESIS,
            "run",
            f"{api.url}/openapi.json",
            f"--header=Authorization: Bearer {TOKEN}",
            *OPTIONS,
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[:20_000]
    assert gate.names, "no workflow was run"
