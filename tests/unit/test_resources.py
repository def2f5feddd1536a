"""The files that ship with knavtool."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from knavtool import resources


@pytest.mark.parametrize("name", ["values", "workflow", "report", "recording"])
def test_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(resources.schema(name).read_text()))


def test_the_chart_is_there_with_the_same_schema() -> None:
    chart = resources.chart("virtual-nodes")
    assert (chart / "Chart.yaml").is_file()
    assert (chart / "values-example.yaml").is_file()
    assert json.loads((chart / "values.schema.json").read_text()) == json.loads(resources.schema("values").read_text())


def test_an_override_is_a_file_below_its_component() -> None:
    assert resources.override("kwok/pod-complete.yaml").parent == resources.data_directory() / "charts/overrides/kwok"
