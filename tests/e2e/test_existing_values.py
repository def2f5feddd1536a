"""`--values`: what a user sets in the chart of a component."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES, SECRETS
from support.chart_repository import REAL, deployment, write_chart
from support.cli import run_cli
from support.existing import Existing

READY = deployment("controller", affinity=REAL)
TOLD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "told"},
    "data": {"size": "{{ .Values.size }}", "colour": "{{ .Values.look.colour }}"},
}


def values_file(directory: Path, name: str, text: str) -> Path:
    (directory / name).write_text(text)
    return directory / name


def chart(directory: Path) -> Path:
    made = write_chart(directory, READY, TOLD)
    (made / "values.yaml").write_text("size: small\nlook: {colour: red}\n")
    return made


@pytest.mark.cluster
def test_values_stay_until_others_are_given(existing: Existing) -> None:
    existing.chart(READY)
    wanted = ("--with", "gadget", "--chart", f"gadget={chart(existing.directory / 'given')}")
    file = values_file(existing.directory, "values.yaml", "size: big\nlook: {colour: secret-blue}\n")

    def told() -> dict[str, str]:
        return dict(existing.get(CONFIG_MAPS, "told", "gadget")["data"])

    done = existing.up(*wanted, "--values", f"gadget={file}")
    assert told() == {"size": "big", "colour": "secret-blue"}
    assert "does not know" not in done.stderr
    shown = existing.cli("status", "-o", "json")
    assert {tuple(one["values"]) for one in json.loads(shown.stdout)} == {(), ("size", "look.colour")}
    assert "gadget has values of its own, by --values: size, look.colour\n" in existing.cli("status").stderr
    assert "secret-blue" not in str(existing.get(CONFIG_MAPS, "component-gadget", "knavtool"))

    existing.up(*wanted)
    assert told()["size"] == "big"
    assert existing.revisions() == [("1", "deployed")], "nothing changed, so that Helm had nothing to do"

    other = values_file(existing.directory, "other.yaml", "size: middle\nsized: 1\n")
    done = existing.up(*wanted, "--values", f"gadget={other}")
    assert told() == {"size": "middle", "colour": "red"}
    assert "--values gadget: the chart does not know sized; did you mean 'size'?" in done.stderr

    planned = existing.up(*wanted, "--values", "gadget=/dev/null", "--dry-run").stdout
    assert "  without values it had: size, sized\n" in planned
    existing.up(*wanted, "--values", "gadget=/dev/null")
    assert told() == {"size": "small", "colour": "red"}
    assert existing.names(SECRETS, "knavtool") == []


@pytest.mark.cluster
def test_values_go_with_their_component(existing: Existing) -> None:
    existing.chart(READY)
    file = values_file(existing.directory, "values.yaml", "size: big\n")
    existing.up("--with", "gadget", "--values", f"gadget={file}")
    assert existing.names(SECRETS, "knavtool") == ["values-gadget"]
    existing.ask(lambda client: client.delete(SECRETS, "values-gadget", namespace="knavtool"))
    done = existing.up("--with", "gadget", check=5)
    assert "the values of gadget are not in Secret knavtool/values-gadget any more" in done.stderr
    assert "--values gadget=FILE" in done.stderr
    existing.up("--with", "gadget", "--values", f"gadget={file}")
    existing.down()
    assert "knavtool" not in existing.names(NAMESPACES)


def render(directory: Path, *args: str, check: int = 2) -> str:
    options = ("--without", "kwok,stages", "--output-dir", directory / "tree")
    given = ("--chart", f"kube-prometheus-stack={chart(directory / 'chart')}")
    return run_cli("cluster", "render", *options, *given, *args, check=check).stderr


def test_rendered_values_are_merged_in_order(tmp_path: Path) -> None:
    first = values_file(tmp_path, "first.yaml", "size: big\nlook: {colour: blue}\ngrafana: {enabled: null}\n")
    second = values_file(tmp_path, "second.yaml", "look: {colour: on}\n")
    options = [f"--values=kube-prometheus-stack={file}" for file in (first, second)]
    render(tmp_path, *options, check=0)
    written = yaml.safe_load((tmp_path / "tree" / "kube-prometheus-stack" / "values.yaml").read_text())
    assert written["size"] == "big"
    assert written["look"] == {"colour": True}, "as Helm reads it"
    assert written["grafana"] == {"enabled": None}, "which takes the chart's own away"
    assert written["alertmanager"] == {"enabled": False}, "what the record says"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size: [1\n", ":2:1: not YAML"),
        ("size: 1\nsize: 2\n", ":2:1: "),
        ("- size\n", ":1:1: expected values by name"),
        (None, ": no such file"),
    ],
)
def test_a_file_that_does_not_do_is_told_with_its_place(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    if text is not None:
        file.write_text(text)
    assert f"error: {file}{message}" in render(tmp_path, "--values", f"kube-prometheus-stack={file}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gadget", "--values gadget: expected NAME=FILE"),
        ("kwok=/dev/null", "--values kwok=...: kwok is no wanted component\ntry: add --with kwok"),
        ("jobset=/dev/null", "--values jobset=...: jobset is installed from manifests, and only charts take values"),
    ],
)
def test_a_component_without_a_chart_takes_none(given: str, message: str, tmp_path: Path) -> None:
    assert message in render(tmp_path, "--with", "jobset", "--values", given)


def test_the_local_engine_takes_none() -> None:
    done = run_cli("cluster", "up", "--values", "kueue=/dev/null", check=2)
    assert "--values goes with --engine existing only" in done.stderr
