"""An API server in memory for each test."""

from __future__ import annotations

import pytest

from support.nodes import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
