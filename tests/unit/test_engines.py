"""Options of `knavtool cluster` that are for one engine, and components that others need."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.cli import app
from knavtool.engines.existing.installation import Ref
from knavtool.engines.existing.installed import Installed
from knavtool.engines.existing.plan import Plan, _require_unneeded, describe
from knavtool.errors import UsageError
from knavtool.harness.existing import chosen


def main(words: list[str]) -> int:
    """The exit code of a command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["knavtool", *words])
        with pytest.raises(SystemExit) as left:
            app.main()
    return int(left.value.code or 0)


LOCAL = [
    "up --name x",
    "up --port 6443",
    "up --tuning none",
    "up --feature-gates X=true",
    "up --runtime-config x/v1=true",
    "up --binary etcd=/bin/true",
    "down --name x",
    "status --name x",
    "logs kueue",
]
EXISTING = [
    "up --chart kueue=./kueue.tgz",
    "up --grafana",
    "up --take-ownership",
    "up --repair",
    "up --yes",
    "up --context production",
    "down --timeout 1m",
    "down --context production",
    "status --context production",
    "status --kubeconfig config",
]


@pytest.mark.parametrize("line", LOCAL)
def test_options_of_the_local_engine_are_refused_by_the_other(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *words = line.split()
    assert main(["cluster", command, "--engine", "existing", *words]) == 2
    said = capsys.readouterr().err
    assert (words[0] if command != "logs" else "cluster logs reads files of a local cluster") in said
    assert "--engine existing" in said


@pytest.mark.parametrize("line", EXISTING)
def test_options_of_existing_clusters_are_refused_by_the_local_engine(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command, *words = line.split()
    assert main(["cluster", command, *words]) == 2
    assert f"{words[0]} goes with --engine existing only, not with --engine local" in capsys.readouterr().err
    assert list(tmp_path.glob("user/data/*")) == []


def test_a_context_before_the_command_counts_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--context", "production", "cluster", "down"]) == 2
    assert "--context goes with --engine existing only" in capsys.readouterr().err


def test_the_environment_is_for_all_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNAVTOOL_CONTEXT", "production")
    monkeypatch.setenv("KNAVTOOL_YES", "1")
    assert main(["cluster", "down"]) == 0
    assert capsys.readouterr().out == "there is no cluster default\n"


def catalogue(directory: Path) -> Catalogue:
    """Three components: c needs b, which needs a."""
    files = {}
    for name, needs, role in (("a", [], ""), ("b", ["a"], "nodes"), ("c", ["b"], "")):
        record = {"name": name, "title": name, "description": "Made by a test.", "version": "1.0.0", "needs": needs}
        more = {"role": role} if role else {}
        face = {"repository": "https://charts.example", "name": name, "version": "1.0.0", "namespace": name}
        files[name] = directory / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump({**record, **more, "faces": {"chart": face}}))
    return Catalogue(files)


def test_what_is_needed_is_not_left_out(tmp_path: Path) -> None:
    known = catalogue(tmp_path)
    names = [one.name for one in chosen(known, {"c": ""}, prometheus=False)]
    assert names == ["a", "b", "c"]
    with pytest.raises(UsageError, match="--without a: b needs it"):
        chosen(known, {}, {"a": ""}, prometheus=False)
    with pytest.raises(UsageError, match="c is named by --with and by --without"):
        chosen(known, {"c": ""}, {"c": ""}, prometheus=False)
    with pytest.raises(UsageError, match="no component 'd'"):
        chosen(known, {}, {"d": ""}, prometheus=False)
    assert chosen(known, {}, {"a": "", "b": ""}, prometheus=False) == ()


def test_what_something_installed_needs_is_not_removed(tmp_path: Path) -> None:
    known = catalogue(tmp_path)
    records = {name: Installed(name=name, version="1.0.0", order=1) for name in ("a", "b", "gone")}
    with pytest.raises(UsageError, match="--without a: b, which is installed, needs it; nothing was changed"):
        _require_unneeded(records, {"a": ""}, known.needs)
    _require_unneeded(records, {"a": "", "b": ""}, known.needs)
    _require_unneeded(records, {"c": ""}, known.needs)


def test_a_dry_run_shows_what_is_removed() -> None:
    gone = Installed(
        name="a",
        version="1.0.0",
        order=1,
        objects=(Ref("v1", "ConfigMap", "n", "x"),),
        release=("a", "n"),
    )
    plan = Plan(found=(), records={"a": gone}, real_nodes=0, leaving=(gone,))
    assert list(describe(plan)) == ["remove a 1.0.0, Helm release n/a", "  - ConfigMap n/x"]
