"""Records at the versions of their components, and components that share a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.versions import at_version, tried
from knavtool.errors import InvalidDocument, UsageError

RECORD: dict[str, Any] = {
    "name": "made",
    "version": "v0.3.0",
    "source": {"module": "m", "sum": "h1:three"},
    "faces": {"process": {"args": ["new"], "keep": {"a": 1, "b": 2}}},
    "versions": [
        {"range": "<v0.3.0", "faces": {"process": {"args": ["old"], "keep": {"b": None, "c": 3}}}},
        {"range": "v0.1.0", "source": {"sum": "h1:one"}, "faces": {"process": {"args": ["oldest"]}}},
    ],
}


def test_its_own_version_is_the_record_as_it_is_written() -> None:
    assert at_version(RECORD, "v0.3.0") == {key: value for key, value in RECORD.items() if key != "versions"}


def test_entries_are_merged_one_after_the_other_and_sums_are_those_of_the_version() -> None:
    between = at_version(RECORD, "v0.2.0")
    assert between["source"] == {"module": "m"}
    assert between["faces"]["process"] == {"args": ["old"], "keep": {"a": 1, "c": 3}}
    assert between["version"] == "v0.2.0"
    first = at_version(RECORD, "v0.1.0")
    assert first["source"] == {"module": "m", "sum": "h1:one"}
    assert first["faces"]["process"] == {"args": ["oldest"], "keep": {"a": 1, "c": 3}}
    assert at_version(RECORD, "v0.4.0")["source"] == {"module": "m"}
    assert tried(RECORD) == ("v0.3.0", "v0.1.0")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "knavtool" / "components").mkdir(parents=True)
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}


def write(environment: dict[str, str], name: str, **fields: Any) -> None:
    record = {"name": name, "title": name, "description": "Made.", "version": "v1.0.0"}
    record |= {"faces": {"controlPlane": {"featureGates": {"A": True}}}, **fields}
    directory = Path(environment["XDG_CONFIG_HOME"]) / "knavtool" / "components"
    (directory / f"{name}.yaml").write_text(yaml.safe_dump(record))


def test_what_a_version_makes_of_a_record_must_fit_too(environment: dict[str, str]) -> None:
    write(
        environment,
        "bad",
        versions=[
            {"range": "<v1.0.0", "faces": {"controlPlane": {"featureGates": {"A": "yes"}}}},
            {"range": "v0.9.0", "faces": {"controlPlain": {}}},
        ],
    )
    with pytest.raises(InvalidDocument) as raised:
        Catalogue.load(environment).component("bad", "v0.9.0")
    first, second = (str(one) for one in raised.value.violations)
    assert "versions[0].faces.controlPlane.featureGates.A" in first
    assert "controlPlain" in second
    write(environment, "worse", versions=[{"range": "~1"}, {"range": "v1.0.0", "title": "Other"}])
    with pytest.raises(InvalidDocument) as raised:
        Catalogue.load(environment).component("worse")
    assert [one.path for one in raised.value.violations] == ["versions[0].range", "versions[1]"]
    assert "title" in raised.value.violations[1].message


def versions(catalogue: Catalogue, **wanted: str) -> dict[str, str]:
    return {one.name: one.version for one in catalogue.ordered(wanted)}


def test_what_follows_another_component_has_its_version_and_moves_it(environment: dict[str, str]) -> None:
    write(environment, "base", version="v2.0.0")
    write(environment, "one", needs=["base"], follows="base")
    write(environment, "two", needs=["base"], follows="base")
    catalogue = Catalogue.load(environment)
    assert catalogue.component("one").version == "v2.0.0"
    assert versions(catalogue, one="") == {"base": "v2.0.0", "one": "v2.0.0"}
    assert versions(catalogue, one="v1.5.0", two="") == {"base": "v1.5.0", "one": "v1.5.0", "two": "v1.5.0"}
    assert versions(catalogue, base="1.4.0", two="v1.4.0") == {"base": "v1.4.0", "two": "v1.4.0"}
    with pytest.raises(UsageError) as raised:
        versions(catalogue, one="v1.5.0", two="v1.6.0")
    assert raised.value.message == "two v1.6.0 and one v1.5.0 are of one project, and come at one version only"
    assert raised.value.hint == "ask for both at v1.6.0 or at v1.5.0"


def test_what_follows_kubernetes_has_the_version_of_the_cluster(environment: dict[str, str]) -> None:
    write(
        environment,
        "gates",
        follows="kubernetes",
        versions=[{"range": "<v1.37.0", "faces": {"controlPlane": {"featureGates": {"B": True}}}}],
    )
    catalogue = Catalogue.load(environment, kubernetes="v1.36.3")
    face = catalogue.component("gates").control_plane
    assert face is not None
    assert face.feature_gates == {"A": True, "B": True}
    assert versions(catalogue, gates="") == versions(catalogue, gates="v1.36.3") == {"gates": "v1.36.3"}
    with pytest.raises(UsageError) as raised:
        versions(catalogue, gates="v1.37.2")
    assert raised.value.message == "gates v1.37.2 is a part of Kubernetes, which is v1.36.3 here"
    assert raised.value.hint == "--kube-version v1.37.2 is another Kubernetes"
