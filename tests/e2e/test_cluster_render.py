"""`knavtool cluster render` on a machine that knows no cluster."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import yaml

from knavtool.toolchain.pins import load_pins
from support.chart_repository import packed, write_chart
from support.cli import run_cli
from support.programs import program
from support.registry import Registry

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


def test_a_chart_of_a_registry_is_named_in_the_files(tmp_path: Path) -> None:
    registry = Registry()
    try:
        name = "charts/monitoring"
        registry.push(name, "7.1.0", packed(write_chart(tmp_path / "chart", name="monitoring", version="7.1.0")))
        given = f"kube-prometheus-stack=oci://{registry.host}/{name}:7.1.0"
        environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "KNAVTOOL_HELM_BINARY": str(program("helm"))}
        tree = tmp_path / "tree"
        options = ("--without", "kwok,stages", "--output-dir", tree)
        run_cli("cluster", "render", *options, "--chart", given, env=environment)
        chart = yaml.safe_load((tree / "kube-prometheus-stack" / "chart.yaml").read_text())
        assert (chart["repo"], chart["name"]) == (f"oci://{registry.host}/charts", "monitoring")
        assert chart["version"] == "7.1.0"
        assert f"oci://{registry.host}/{name} --version 7.1.0" in (tree / "README.md").read_text()

        said = run_cli("cluster", "render", *options, "--chart", f"{given}1", env=environment, check=4).stderr
        assert f"no chart monitoring 7.1.01 from oci://{registry.host}/charts: " in said
        assert f"oci://{registry.host}/{name} has no 7.1.01, but 7.1.0\n" in said
    finally:
        registry.close()
