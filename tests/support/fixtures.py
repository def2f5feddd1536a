"""Fixtures for tests on a real control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.control_plane import LocalCluster


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The control plane that all tests of a worker share; each of them leaves it as it found it."""
    cluster = LocalCluster(root=tmp_path_factory.mktemp("control-plane"), name="shared")
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
