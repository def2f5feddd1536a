"""Component manifests: the files of a project, with objects of ours in place of some of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.errors import RenderError
from knavtool.render.components import overridden, render_component, with_images
from knavtool.render.manifests import ManifestSet


def stage(name: str, text: str = "", **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name, **metadata},
        "spec": {"text": text},
    }


def write(path: Path, *objects: Any) -> Path:
    path.write_text(yaml.safe_dump_all(objects))
    return path


def told(manifests: ManifestSet) -> list[tuple[Any, ...]]:
    return [(one["metadata"].get("namespace"), one["metadata"]["name"], one["spec"]["text"]) for one in manifests]


def test_an_override_takes_the_place_of_its_namesake_and_adds_others(tmp_path: Path) -> None:
    first = write(tmp_path / "a", stage("one", "theirs"), None, stage("two", "theirs"))
    second = write(tmp_path / "b", stage("two", "elsewhere", namespace="other"))
    override = write(tmp_path / "o", stage("two", "ours"), stage("three", "ours"))
    theirs = render_component([first, second])
    assert told(overridden(theirs, [override])) == [
        (None, "one", "theirs"),
        (None, "two", "ours"),
        ("other", "two", "elsewhere"),
        (None, "three", "ours"),
    ]
    assert overridden(theirs, []) == theirs
    later = write(tmp_path / "l", stage("two", "later"))
    assert (None, "two", "later") in told(overridden(theirs, [override, later]))


def test_a_patch_is_merged_into_its_namesake(tmp_path: Path) -> None:
    theirs = stage("one", "theirs") | {"spec": {"text": "theirs", "delay": {"jitter": 1}, "steps": [1, 2]}}
    patch = tmp_path / "one.patch.yaml"
    patch.write_text(yaml.safe_dump(stage("one", "ours") | {"spec": {"delay": {"from": 2}, "steps": [3]}}))
    (merged,) = overridden(render_component([write(tmp_path / "a", theirs)]), [patch])
    assert merged["spec"] == {"text": "theirs", "delay": {"jitter": 1, "from": 2}, "steps": [3]}
    with pytest.raises(RenderError, match=r"one\.patch\.yaml: there is no Stage one to patch"):
        overridden(ManifestSet(), [patch])


def test_places_in_an_override_are_filled_in_if_there_are_values(tmp_path: Path) -> None:
    override = write(tmp_path / "o", stage("one", "${key} costs $$5"))
    assert told(overridden(ManifestSet(), [override], {"key": "it"})) == [(None, "one", "it costs $5")]
    # Without values a dollar is a dollar: scripts of stages are full of them.
    assert told(overridden(ManifestSet(), [override])) == [(None, "one", "${key} costs $$5")]
    with pytest.raises(RenderError, match=rf"{override}: .*'key'"):
        overridden(ManifestSet(), [override], {"other": "x"})


def test_what_others_need_comes_first(tmp_path: Path) -> None:
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    rendered = render_component([write(tmp_path / "a", stage("one"), crd, space)])
    assert [one["kind"] for one in rendered] == ["Namespace", "CustomResourceDefinition", "Stage"]


def workload(kind: str, *images: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    pod: dict[str, Any] = {"containers": [{"name": str(number), "image": image} for number, image in enumerate(images)]}
    if init:
        pod["initContainers"] = [{"name": image, "image": image} for image in init]
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("image", "changed"),
    [
        ("h/a", "r/a:v1"),
        ("h/a:latest", "r/a:v1"),
        ("h/a@sha256:00", "r/a:v1"),
        ("h/a:latest@sha256:00", "r/a:v1"),
        ("h:5000/a:latest", "r/b:v1"),
        ("h/ab:latest", "h/ab:latest"),
        ("a:latest", "a:latest"),
        ("x/h/a", "x/h/a"),
    ],
)
def test_images_are_replaced_by_their_name(image: str, changed: str) -> None:
    images = {"h/a": "r/a:v1", "h:5000/a": "r/b:v1"}
    before = workload("Deployment", image, "other", init=(image,))
    (after,) = with_images(ManifestSet((before,)), images)
    assert after == workload("Deployment", changed, "other") | {
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "0", "image": changed}, {"name": "1", "image": "other"}],
                    "initContainers": [{"name": image, "image": changed}],
                }
            }
        }
    }
    # What was read is used again and must not change.
    assert before == workload("Deployment", image, "other", init=(image,))


def test_what_makes_no_pods_has_no_images() -> None:
    odd = [
        stage("one"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"image": "h/a"}},
        {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"template": "h/a"}},
        {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"template": {"spec": None}}},
        {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "spec": "h/a"},
        {
            "apiVersion": "a/v1",
            "kind": "D",
            "metadata": {"name": "x"},
            "spec": {"template": {"spec": {"containers": [{}]}}},
        },
    ]
    assert list(with_images(ManifestSet(tuple(odd)), {"h/a": "b"})) == odd


@pytest.mark.parametrize(
    "text", ["a text", "[1]", "kind: Stage", "{", "apiVersion: v1\nkind: A\n", "\x00", "a: !!python/name:os.system ''"]
)
def test_a_file_that_holds_no_objects_is_named(tmp_path: Path, text: str) -> None:
    good = write(tmp_path / "good", stage("one"))
    (tmp_path / "bad").write_text(text)
    with pytest.raises(RenderError, match=str(tmp_path / "bad")):
        render_component([good, tmp_path / "bad"])
    with pytest.raises(RenderError, match=str(tmp_path / "bad")):
        overridden(render_component([good]), [tmp_path / "bad"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for name in ("nothing", "latin"):
        with pytest.raises(RenderError, match=f"{tmp_path / name}: not readable"):
            overridden(ManifestSet(), [tmp_path / name])
