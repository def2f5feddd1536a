"""A release host and a toolchain for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.releases import Bench, Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
