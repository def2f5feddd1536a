from __future__ import annotations

import pytest

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.credentials import filled, require_credentials
from knavtool.catalogue.records import Component, Credential
from knavtool.errors import UsageError
from knavtool.helm.words import without


def component(*variables: str) -> Component:
    credentials = tuple(Credential(variable=name, description=f"About {name}.") for name in variables)
    return Component(name="a", title="A", description="", version="1", credentials=credentials)


def test_all_that_is_missing_is_told_at_once() -> None:
    runai = Catalogue.load({}).component("runai")
    with pytest.raises(UsageError) as caught:
        require_credentials([component("TOKEN"), runai], {"RUNAI_CLUSTER_UID": "1", "RUNAI_CLIENT_SECRET": ""})
    assert caught.value.message.splitlines() == [
        "a needs these environment variables, which are not set:",
        "  TOKEN: About TOKEN.",
        "runai needs these environment variables, which are not set:",
        *(f"  {one.variable}: {one.description}" for one in runai.credentials if one.variable != "RUNAI_CLUSTER_UID"),
        "nothing was changed",
    ]


def test_only_declared_variables_are_taken() -> None:
    assert require_credentials([component("TOKEN")], {"TOKEN": "x", "HOME": "/root"}) == {"TOKEN": "x"}


def test_variables_are_filled_in_where_the_component_declares_them() -> None:
    values = {"a": ["${ONE}/${TWO}/${THREE}", {"b": "${TWO}"}], "n": 1, "yes": True, "none": None, "$ONE": "$ONE"}
    given = {"ONE": "${TWO}", "TWO": "2", "THREE": "3"}
    assert filled(values, component("ONE", "TWO"), given) == {
        **values,
        "a": ["${TWO}/2/${THREE}", {"b": "2"}],
    }
    assert filled(values, component("ONE"), {}) == values


def test_secrets_are_hidden_in_what_helm_says() -> None:
    secrets = {"SHORT": "ab", "LONG": 'ab"c'}
    assert without('got ab"c, "ab\\"c" and ab', secrets) == 'got ${LONG}, "${LONG}" and ${SHORT}'
