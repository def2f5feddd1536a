"""`knavtool cluster render` on a machine that knows no cluster."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

from knavtool.toolchain.pins import load_pins
from support.chart_repository import write_chart
from support.cli import run_cli

PINNED = load_pins().programs["kube-apiserver"].version


def render(chart: Path, *args: str, check: int = 0) -> CompletedProcess[str]:
    """Render with this chart in the place of a component's."""
    given = ("--chart", f"kube-prometheus-stack={chart}", "--output-dir", chart.parent / "tree")
    return run_cli("cluster", "render", *given, *args, check=check)


def test_charts_are_rendered_for_the_kubernetes_of_a_local_cluster(tmp_path: Path) -> None:
    render(write_chart(tmp_path / "recent", kube_version=">=1.25.0-0"))
    asking = write_chart(tmp_path / "asking")
    (asking / "templates" / "tell.yaml").write_text("{{ fail .Capabilities.KubeVersion.Version }}\n")
    assert f"tell.yaml:1:3): {PINNED}\n" in render(asking, check=3).stderr


def test_kube_version_says_otherwise(tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "ahead", kube_version=">=1.99.0-0")
    said = render(chart, check=3).stderr
    assert ">=1.99.0-0" in said
    assert PINNED in said
    render(chart, "--kube-version", "1.99.1")
