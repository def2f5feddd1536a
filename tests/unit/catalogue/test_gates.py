"""Feature gates and served APIs, of the user and of components together."""

from __future__ import annotations

import pytest

from knavtool.catalogue.gates import feature_gates, runtime_config
from knavtool.catalogue.records import Component, ControlPlaneFace
from knavtool.errors import UsageError


def component(name: str, **gates: bool) -> Component:
    face = ControlPlaneFace(
        feature_gates=gates, runtime_config={f"{gate}/v1": on for gate, on in gates.items()}, serves=()
    )
    return Component(name=name, title=name, description="", version="v1.0.0", control_plane=face)


BARE = Component(name="bare", title="", description="", version="v1.0.0")


@pytest.mark.parametrize(
    ("given", "components", "joined"),
    [
        ("", [], ""),
        ("", [BARE], ""),
        ("A=true,B=false", [BARE], "A=true,B=false"),
        ("", [component("x", A=True), component("y", B=False)], "A=true,B=false"),
        ("C=true", [component("x", A=True)], "C=true,A=true"),
        ("A=true", [component("x", A=True), component("y", A=True)], "A=true"),
        ("AllAlpha", [component("x", A=True)], "AllAlpha,A=true"),
        ("A=true,,", [], "A=true"),
    ],
)
def test_they_are_joined(given: str, components: list[Component], joined: str) -> None:
    assert feature_gates(given, components) == joined


def test_served_apis_are_joined_the_same_way() -> None:
    assert runtime_config("b/v1=true", [component("x", a=True)]) == "b/v1=true,a/v1=true"
    assert feature_gates("", [component("x", a=True)]) == "a=true"


def test_a_contradiction_names_both() -> None:
    with pytest.raises(UsageError) as raised:
        feature_gates("A=false", [component("x", A=True)])
    assert raised.value.message == "--feature-gates A=false contradicts x, which needs A=true"
    assert "leave out A, or x" in raised.value.hint
    with pytest.raises(UsageError, match="--runtime-config a/v1=true contradicts x, which needs a/v1=false"):
        runtime_config("a/v1=true", [component("x", a=False)])
    with pytest.raises(UsageError, match="contradicts y"):
        feature_gates("", [component("x", A=True), component("y", A=False)])
