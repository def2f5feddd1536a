"""What contenders want of local clusters is looked at before the first one is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.bench.local import require_local
from knavtool.errors import UsageError
from support.benches import planned


def require(tmp_path: Path, **of_a: Any) -> None:
    home = tmp_path / "home"
    environment = {"HOME": str(home), "PATH": "/usr/bin", "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    require_local(planned(tmp_path, of_a=of_a).file, environment)
    assert not home.exists()


def test_settings_of_one_process_of_several(tmp_path: Path) -> None:
    require(tmp_path, **{"with": ["volcano"], "args": {"volcano-scheduler": {"schedule-period": "1s"}}})


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bench\.yml: contender A: --set kueue: the cluster has no kueue"):
        require(tmp_path, set={"kueue.integrations": "batch"})
    with pytest.raises(UsageError, match=r"contender A: no component 'kueu' in the catalogue"):
        require(tmp_path, **{"with": ["kueu"]})
    with pytest.raises(UsageError, match=r"contender A: .*1\.2"):
        require(tmp_path, kubernetes="1.2")
