"""The table of rights is complete, and the chart has it."""

from __future__ import annotations

from knavtool import resources
from knavtool.workflow.preflight import rights
from knavtool.workflow.tasks import BLOCKS, TASKS

FILE = resources.chart("knavtool") / "files" / "rights.yaml"


def test_every_task_type_is_in_the_table() -> None:
    assert set(rights.RIGHTS) == {*TASKS, *BLOCKS}


def test_the_chart_has_the_same_table() -> None:
    assert FILE.read_text() == rights.chart_data(), f"run: python -m knavtool.workflow.preflight.rights > {FILE}"


def test_nothing_may_everything() -> None:
    for rules in rights.RIGHTS.values():
        for rule in rules:
            assert "*" not in (*rule.verbs, rule.resource.group, rule.resource.plural)
