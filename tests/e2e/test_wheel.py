"""The wheel alone is enough: built, installed into an empty environment, used far from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knavtool import __version__
from support.cli import run_cli

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
# Everything here shares one built wheel, so it belongs on one worker.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment with the wheel and without the checkout."""

    wheel: Path
    data: Path
    run: Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build sdist and wheel, and install the wheel; what it depends on is that of the tests.

    That nothing else is needed is what `.ci/first-run` shows.
    """
    directory = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory / "dist", ROOT)
    (wheel,) = (directory / "dist").glob("*.whl")
    call(sys.executable, "-m", "venv", directory / "venv")
    python = directory / "venv/bin/python"
    flags = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    call(python, "-m", "pip", "install", *flags, wheel)
    (own,) = (directory / "venv/lib").glob("python*/site-packages")
    (own / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    data = call(
        python, "-c", "from knavtool import resources; print(resources.data_directory())", cwd=elsewhere
    ).strip()
    script = directory / "venv/bin/knavtool"
    return Installed(wheel=wheel, data=Path(data), run=partial(run_cli, script=script, cwd=elsewhere, timeout=900))


def call(*command: str | Path, cwd: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_what_users_need_and_no_more(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    shipped = {
        f"knavtool/data/{path.relative_to(ROOT)}"
        for top in ("charts", "schemas", "workflows")
        for path in (ROOT / top).rglob("*")
        if path.is_file()
    }
    assert shipped <= names
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "knavtool").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= names
    extra = {name for name in names - shipped - package if ".dist-info/" not in name}
    assert extra == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_runs_from_its_own_files(installed: Installed) -> None:
    assert not installed.data.is_relative_to(ROOT)
    assert installed.run("--version").stdout == f"knavtool {__version__}\n"
    assert json.loads(installed.run("schema", "values").stdout) == json.loads(
        (ROOT / "schemas/values.schema.json").read_text()
    )


def test_it_renders_the_example(installed: Installed) -> None:
    example = installed.data / "charts/virtual-nodes/values-example.yaml"
    assert "kind: Node" in installed.run("nodes", "render", "-f", example).stdout


@pytest.mark.cluster
def test_the_demo_from_another_directory(installed: Installed, tmp_path: Path) -> None:
    example = installed.data / "charts/virtual-nodes/values-example.yaml"
    workflow = installed.data / "workflows/k8s/test-job.yml"
    name = f"wheel-{os.getpid()}"
    try:
        installed.run("cluster", "up", "--name", name)
        installed.run("nodes", "apply", "-f", example)
        installed.run("run", workflow, "--report", tmp_path / "report")
        report = json.loads((tmp_path / "report/report.json").read_text())
        assert report["result"] == "ok"
        assert report["counts"]["tasks"]["ok"] > 0
    finally:
        installed.run("cluster", "down", "--name", name)


@pytest.mark.cluster
def test_tests_of_others(installed: Installed, tmp_path: Path) -> None:
    """A project that has the wheel: fixtures, the API, and workflow files as tests, one of which fails."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "stranger", project)
    python = installed.wheel.parents[1] / "venv" / "bin" / "python"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST"))}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
    assert "1 failed, 5 passed" in done.stdout, done.stdout + done.stderr
    assert "too-many.workflow.yml:\nall-run: " in done.stdout
    assert "FAILED too-many.workflow.yml::too-many" in done.stdout
    assert not list((Path(os.environ["XDG_DATA_HOME"]) / "knavtool" / "clusters").glob("t-*"))
