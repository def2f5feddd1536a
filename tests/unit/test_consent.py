"""The question before a cluster of somebody else is touched."""

from __future__ import annotations

import io

import pytest

from knavtool.cli.cluster.existing import require_consent
from knavtool.cli.connection import Place
from knavtool.cli.options import Globals, Target
from knavtool.engines.existing.plan import Plan
from knavtool.errors import UsageError
from knavtool.kube.connection.kubeconfig import Kubeconfig


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


HERE = Target(settings=Globals(), kubeconfig=None, context=None, environment={})
PLACE = Place(
    config=Kubeconfig(where="config", context="production", cluster={"server": "https://10.0.0.1:6443"}, user={}),
    target=HERE,
)
PLAN = Plan(found=(), records={}, real_nodes=3)


def test_the_name_of_the_context_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr("sys.stderr", asked)
    monkeypatch.setattr("sys.stdin", Terminal("production\n"))
    require_consent(PLACE, "has 3 real nodes", "install components")
    assert "context production (https://10.0.0.1:6443) has 3 real nodes" in asked.getvalue()
    assert "To install components there" in asked.getvalue()
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    with pytest.raises(UsageError, match="not the name of the context"):
        require_consent(PLACE, "has 3 real nodes", "install components")


def test_without_a_terminal_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("production\n"))
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        require_consent(PLACE, "has 3 real nodes", "install components")
    assert "--yes" in caught.value.hint


def test_virtual_nodes_need_no_consent() -> None:
    assert not Plan(found=(), records={}, real_nodes=0).needs_consent
    assert PLAN.needs_consent
