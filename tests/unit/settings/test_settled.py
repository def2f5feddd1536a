"""From what was asked for to the settings of each component."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from knavtool.errors import UsageError
from knavtool.settings.asked import Asked, ConfigFile, read_options
from knavtool.settings.describing import options, short
from knavtool.settings.settings import Settings
from knavtool.settings.settled import Subjects, kept_values, settled
from knavtool.settings.subject import Config, Shortcut, Subject

SUBJECTS = Subjects(
    {
        "gizmo": Subject(
            name="gizmo",
            processes=("gizmo",),
            config=Config(process="gizmo", file="c.yaml"),
            template="port: ${port_http}\nkinds: [a]\n",
            shortcuts={"few": Shortcut(path="kinds", values={"one": ["a"]})},
            fixed_args={"gizmo": frozenset({"config"})},
            fixed_environment={"gizmo": frozenset({"KUBECONFIG"})},
        ),
        "volc": Subject(
            name="volc",
            processes=("volc-a", "volc-b"),
            config=Config(process="volc-b", file="c.conf"),
            template="actions: x\n",
        ),
        "objects": Subject(name="objects"),
    },
    others={"kueue", "jobset"},
)


def asked(**options: Any) -> Asked:
    return read_options(**options)


def test_settings_are_added_to_those_of_earlier_calls() -> None:
    first = settled({}, asked(fields=["gizmo.a=1", "gizmo.b=1"], args=["gizmo=--v=1"]), SUBJECTS)
    second = settled(first, asked(fields=["gizmo.b=2"], environment=["gizmo=X=1"], args=["gizmo=--w-"]), SUBJECTS)
    assert second == {
        "gizmo": Settings(
            fields={"a": 1, "b": 2}, args={"gizmo": {"v": "--v=1", "w": None}}, environment={"gizmo": {"X": "1"}}
        )
    }
    assert settled(second, Asked(), SUBJECTS) == second
    assert settled(second, asked(reset=["gizmo"]), SUBJECTS) == {}
    assert settled(second, asked(reset=["gizmo"], fields=["gizmo.a=3"]), SUBJECTS) == {
        "gizmo": Settings(fields={"a": 3})
    }
    # What is not there any more has no settings.
    assert settled({"gone": Settings(fields={"a": 1})}, Asked(), SUBJECTS) == {}


def test_a_file_takes_the_place_of_an_earlier_one() -> None:
    merged = ConfigFile(target="gizmo", source="m.yaml", text="a: 1", data={"a": 1})
    whole = ConfigFile(target="gizmo", source="w.yaml", text="port: ${port_http}", data=None)
    before = {"gizmo": Settings(fields={"b": 1})}
    first = settled(before, Asked(files=(merged,)), SUBJECTS)
    assert first == {"gizmo": Settings(config={"a": 1}, fields={"b": 1})}
    second = settled(first, Asked(files=(whole,)), SUBJECTS)
    assert second == {"gizmo": Settings(text="port: ${port_http}", fields={"b": 1})}
    assert second["gizmo"].source == "w.yaml"


def test_a_process_by_its_own_name_or_that_of_its_component() -> None:
    for name in ("volc/volc-a", "volc-a"):
        found = settled({}, asked(args=[f"{name}=--v=1"]), SUBJECTS)
        assert found == {"volc": Settings(args={"volc-a": {"v": "--v=1"}})}
    for name in ("volc", "volc/volc-b", "volc-b"):
        assert settled({}, asked(fields=[f"{name}.a=1"]), SUBJECTS) == {"volc": Settings(fields={"a": 1})}


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"args": ["volc=--v=1"]}, "--args volc: volc has the processes volc-a, volc-b", "--args volc-a"),
        ({"environment": ["objects=X=1"]}, "--env objects: objects has none", ""),
        ({"fields": ["objects.a=1"]}, "objects has no configuration that its record names", "gizmo, volc"),
        ({"fields": ["volc-a.a=1"]}, "volc-a has no configuration; volc-b has that of volc", "--set volc"),
        ({"fields": ["gizmoo.a=1"]}, "--set gizmoo: no component 'gizmoo'; did you mean 'gizmo'", "gizmo"),
        ({"fields": ["kueue.a=1"]}, "--set kueue: the cluster has no kueue", "--with kueue"),
        ({"args": ["volc/volc-x=--v=1"]}, "volc has no process volc-x; did you mean", "volc-a, volc-b"),
        ({"args": ["gizmo=--config=x"]}, "knavtool needs --config of gizmo as it is", ""),
        ({"environment": ["gizmo=KUBECONFIG=x"]}, "knavtool needs KUBECONFIG of gizmo as it is", ""),
        ({"reset": ["volc-a"]}, "--reset volc-a: settings are dropped as a whole", "--reset volc"),
        ({"fields": ["gizmo.few=one", "gizmo.kinds=[b]"]}, "gizmo.few and --set gizmo.kinds give the same", ""),
        ({"fields": ["volc.a=1", "volc-b.a=2"]}, "give the same field two values", ""),
    ],
)
def test_what_does_not_fit_is_told(options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        settled({}, asked(**options), SUBJECTS)
    assert hint in caught.value.hint


def test_values_that_were_kept_are_told() -> None:
    found = {"gizmo": Settings(config={"port": 1, "x": 2}, source="g.yaml"), "volc": Settings(fields={"a": 1})}
    file = ConfigFile(target="gizmo", source="g.yaml", text="", data={})
    assert list(kept_values(found, Asked(files=(file,)), SUBJECTS)) == [
        "--config gizmo=g.yaml: port stays as it was, because knavtool needs it so"
    ]
    # Another call need not hear of it again.
    assert list(kept_values(found, Asked(), SUBJECTS)) == []


def test_what_is_new_in_settings() -> None:
    before = Settings(
        config={"a": 1}, fields={"x": 1, "y": 1}, args={"p": {"v": "--v=1"}}, environment={"p": {"A": "1"}}
    )
    after = replace(before, fields={"x": 1, "y": 2}, args={"p": {"v": "--v=1", "w": None}})
    assert after.since(before).fields == {"y": 2}
    assert (after.since(before).args, after.since(before).config) == ({"p": {"w": None}}, {})
    assert replace(before, text="t").since(before).text == "t"
    assert before.since(after).fields == {"y": 1}
    # Of what was only taken away, all that is left is told.
    assert replace(before, fields={"x": 1}).since(before) == replace(before, fields={"x": 1})


def test_settings_of_one_process() -> None:
    whole = Settings(
        fields={"a": 1}, args={"x": {"v": "--v=1"}, "y": {"w": None}}, environment={"y": {"A": "1"}}, source="f"
    )
    assert whole.of("x", configured=True) == Settings(fields={"a": 1}, args={"x": {"v": "--v=1"}})
    assert whole.of("y", configured=False) == Settings(args={"y": {"w": None}}, environment={"y": {"A": "1"}})
    assert not whole.of("z", configured=False)
    assert Settings.from_data(whole.as_data()) == whole
    assert whole.as_data().keys() == {"fields", "args", "environment", "source"}


def test_settings_are_told_as_options_and_in_short() -> None:
    one = Settings(
        config={"a": {"b": True}, "e": {}},
        source="f.yaml",
        fields={"list": [1, "x"], "long": "y" * 80},
        args={"p": {"v": "--v=4", "w": None}},
        environment={"p": {"GOGC": "1", "X": None}},
    )
    cut = "y" * 59 + "\u2026"
    assert options("p", one) == (
        f'--config p=f.yaml --set p.list=[1,"x"] --set p.long={cut} '
        "--args p=--v=4 --args p=--w- --env p=GOGC=1 --env p=X-"
    )
    assert short(one) == f'a.b=true, e={{}}, list=[1,"x"], long={cut}, --v=4, no --w, GOGC=1, no X'
    assert f"long={'y' * 80}," in short(one, whole=True)
    whole = Settings(text="a: 1\n", source="f.yaml")
    assert options("p", whole) == "--config p=f.yaml --replace"
    assert short(whole) != short(Settings(text="a: 2\n"))
    assert short(Settings()) == ""
