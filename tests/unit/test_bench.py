"""Which programs the benchmark wants."""

from __future__ import annotations

from typing import Any

import pytest

from bench.setting import NEEDED, PROMETHEUS, BenchError, found

OF_COMPONENTS = [{"name": name, "installed": False, "path": None} for name in ("yunikorn-scheduler", "kai-binder")]


def rows(*names: str) -> list[dict[str, Any]]:
    """What `toolchain list` says of a machine with these programs of a local cluster."""
    there = [{"name": name, "installed": True, "path": f"/bin/{name}"} for name in names]
    return [*there, *({"name": name, "installed": False, "path": None} for name in NEEDED - {*names}), *OF_COMPONENTS]


def test_programs_of_components_are_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {*NEEDED, PROMETHEUS}
    assert found(rows(*wanted)) == {name: f"/bin/{name}" for name in wanted}
    assert capsys.readouterr().err == ""


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(rows(*NEEDED)).keys() == NEEDED
    assert capsys.readouterr().err == "left out: clusters with Prometheus, which is not installed\n"


def test_without_a_control_plane_nothing_is_measured() -> None:
    with pytest.raises(BenchError, match=r"not installed: etcd, helm; `knavtool toolchain install`"):
        found(rows(*(NEEDED - {"etcd", "helm"})))
