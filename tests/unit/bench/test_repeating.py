"""What becomes of a repetition whose cluster cannot be had."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knavtool.bench.planning import Slot
from knavtool.bench.repeating import NotClean, repeat
from knavtool.bench.repetition import Status, load
from knavtool.errors import EngineError, KnavError, OutputError
from knavtool.events import Steps
from support.benches import planned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knavtool.documents.bench_file import Contender
    from knavtool.harness.target import Target


@dataclass
class Nowhere:
    """A place where no cluster can be had."""

    error: KnavError
    about: str = ""

    @asynccontextmanager
    async def cluster(self, contender: Contender, *, steps: Steps) -> AsyncIterator[Target]:  # noqa: ARG002
        raise self.error
        yield  # a generator


@pytest.mark.parametrize("error", [OutputError("cannot write"), NotClean("3 pods are left")])
async def test_what_is_no_fault_of_the_contender_ends_the_bench(tmp_path: Path, error: KnavError) -> None:
    """It is not kept, so that --resume runs it."""
    bench = planned(tmp_path / "bench")
    with pytest.raises(type(error)):
        await repeat(bench, Slot("", "A", 1), 1, tmp_path / "run", Nowhere(error), steps=Steps(lambda _: None))
    assert not (tmp_path / "run").exists()


async def test_a_cluster_that_does_not_come_up_is_its_result(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench")
    place = Nowhere(EngineError("no"))
    one = await repeat(bench, Slot("", "A", 1), 1, tmp_path / "run", place, steps=Steps(lambda _: None))
    assert (one.status, one.started, one.message) == (Status.BROKEN, False, "no")
    assert load(tmp_path / "run") == one


async def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    bench = planned(tmp_path / "bench")
    with pytest.raises(OutputError, match=r"cannot write to .*run"):
        await repeat(
            bench, Slot("", "A", 1), 1, tmp_path / "run", Nowhere(EngineError("no")), steps=Steps(lambda _: None)
        )
