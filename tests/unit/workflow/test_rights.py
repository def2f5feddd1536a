"""Every task type says what it may."""

from __future__ import annotations

from knavtool.workflow.tasks import TYPES


def test_nothing_may_everything() -> None:
    for type_ in TYPES.values():
        for rule in type_.rights:
            assert "*" not in (*rule.verbs, rule.resource.group, rule.resource.plural)
