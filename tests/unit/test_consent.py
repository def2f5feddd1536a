"""The question before a cluster of somebody else is touched."""

from __future__ import annotations

import io

import pytest

from knavtool.cli.cluster.existing import _require_consent
from knavtool.cluster.engines.existing.plan import Plan
from knavtool.errors import UsageError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PLAN = Plan(found=(), records={}, real_nodes=3)


def test_the_name_of_the_context_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", Terminal("production\n"))
    _require_consent(PLAN, "production")
    assert "context production has 3 real nodes" in asked.getvalue()
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    with pytest.raises(UsageError, match="not the name of the context"):
        _require_consent(PLAN, "production")


def test_without_a_terminal_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("production\n"))
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        _require_consent(PLAN, "production")
    assert "--yes" in caught.value.hint


def test_virtual_nodes_need_no_consent() -> None:
    assert not Plan(found=(), records={}, real_nodes=0).needs_consent
    assert PLAN.needs_consent
