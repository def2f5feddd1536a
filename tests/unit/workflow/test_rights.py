"""Every task type says what it may, and the chart has it."""

from __future__ import annotations

from knavtool import resources
from knavtool.workflow.preflight import role
from knavtool.workflow.tasks import TYPES

FILE = resources.chart("knavtool") / "files" / "rights.yaml"


def test_the_chart_has_the_same_rights() -> None:
    assert FILE.read_text() == role.chart_data(), "run: make generate"


def test_nothing_may_everything() -> None:
    for type_ in TYPES.values():
        for rule in type_.rights:
            assert "*" not in (*rule.verbs, rule.resource.group, rule.resource.plural)
