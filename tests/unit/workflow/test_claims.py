"""Claims that a StatefulSet of the run made go with it; others stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from knavtool.errors import AlreadyExists, Forbidden
from knavtool.events import Steps
from knavtool.kube.resource import PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS
from knavtool.report.recorder import Recorder
from knavtool.workflow.undoing.claims import claims_of
from knavtool.workflow.undoing.cleanup import undo
from knavtool.workflow.undoing.ledger import Group, Ledger
from knavtool.workflow.undoing.writing import create
from support.memory import Memory

if TYPE_CHECKING:
    from knavtool.workflow.undoing.ledger import Made

LABELS = {"app": "store"}


def stateful_set(**spec: Any) -> bytes:
    templates = [{"metadata": {"name": name}} for name in ("data", "logs")]
    selector = {"matchLabels": LABELS}
    return orjson.dumps(
        {"metadata": {"name": "store"}, "spec": {"selector": selector, "volumeClaimTemplates": templates, **spec}}
    )


class _Run:
    """A run that submits a StatefulSet, and what its controller does."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.ledger = Ledger(restores=True)
        self.group: Group = self.ledger.group("objects of store")

    async def claim(self, name: str, labels: dict[str, str] = LABELS, namespace: str = "default") -> None:
        body = {"metadata": {"name": name, "labels": labels}}
        await self.memory.create(PERSISTENT_VOLUME_CLAIMS, body, namespace=namespace)

    async def submit(self, body: bytes) -> Made:
        made = self.group.intend(STATEFUL_SETS, "default", "store")
        if (claims := await claims_of(self.memory, made, body)) is not None:
            self.group.claims.append(claims)
        return await create(self.memory, self.group, made, body)

    async def clean_up(self) -> list[str]:
        await undo(self.ledger, self.memory, steps=Steps(Recorder()), timeout=5)
        left = await self.memory.list(PERSISTENT_VOLUME_CLAIMS)
        return sorted(claim["metadata"]["name"] for claim in left)


async def test_its_claims_go_and_no_others() -> None:
    run = _Run()
    await run.claim("data-store-7")  # of an earlier StatefulSet of that name
    await run.submit(stateful_set())
    for name in ("data-store-0", "logs-store-12"):
        await run.claim(name)
    foreign = ["data-store-x", "data-stores-0", "other-store-0", "data-store-0-0"]
    for name in foreign:
        await run.claim(name)
    await run.claim("data-store-1", {"app": "another"})
    await run.claim("data-store-0", namespace="other")
    assert await run.clean_up() == sorted([*foreign, "data-store-7", "data-store-1", "data-store-0"])


async def test_they_go_also_if_a_task_deleted_the_stateful_set() -> None:
    run = _Run()
    await run.submit(stateful_set())
    await run.claim("data-store-0")
    await run.memory.delete(STATEFUL_SETS, "store", namespace="default")
    run.ledger.forget(STATEFUL_SETS, "default", "store")
    assert await run.clean_up() == []


@pytest.mark.parametrize(("policy", "left"), [("Retain", ["data-store-0"]), ("Delete", [])])
async def test_a_policy_that_is_written_down_holds(policy: str, left: list[str]) -> None:
    run = _Run()
    await run.submit(stateful_set(persistentVolumeClaimRetentionPolicy={"whenDeleted": policy}))
    await run.claim("data-store-0")
    assert await run.clean_up() == left


async def test_claims_of_a_stateful_set_that_others_made_stay() -> None:
    run = _Run()
    await run.memory.create(STATEFUL_SETS, {"metadata": {"name": "store"}}, namespace="default")
    with pytest.raises(AlreadyExists):
        await run.submit(stateful_set())
    await run.claim("data-store-0")
    assert await run.clean_up() == ["data-store-0"]


async def test_whoever_may_not_read_claims_may_submit() -> None:
    run = _Run()
    run.memory.refuse["list", "PersistentVolumeClaim"] = Forbidden("list: no", status=403)
    await run.submit(stateful_set())
    assert run.group.claims == []
