"""The files of a cluster that has no processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knavtool.engines.local.processes import processes
from knavtool.engines.local.state.layout import ClusterFiles
from support import processes as found


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ClusterFiles]:
    made = ClusterFiles(tmp_path / "work", "test")
    made.directory.mkdir(parents=True)
    yield made
    left = found.carrying(processes.MARK, str(made.directory))
    assert not left, left
