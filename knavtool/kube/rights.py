"""Rights: what an account asks of the API server, and which of it the server does not give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import Forbidden, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from knavtool.kube.gateway import Gateway

_EVERYTHING = Resource("*", "*", "*", "*", namespaced=True)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource; no namespace means all of them, or a kind that lives in none."""

    verb: str
    resource: Resource
    subresource: str
    namespace: str | None

    @property
    def object(self) -> str:
        """`jobs.batch/status in namespace default`."""
        name = f"{self.resource}/{self.subresource}" if self.subresource else str(self.resource)
        if not self.resource.namespaced:
            return name
        return f"{name} in namespace {self.namespace}" if self.namespace else f"{name} in all namespaces"


async def refused(gateway: Gateway, wanted: Collection[Right]) -> set[Right]:
    """Which of the rights this account lacks; an administrator costs one question.

    None if the server does not answer such questions: whoever may not ask may still be let through.
    """
    if not wanted:
        return set()
    places: dict[Right, list[Right]] = {}
    for right in wanted:
        places.setdefault(Right(right.verb, right.resource, right.subresource, None), []).append(right)
    # What is needed in several namespaces is asked for all of them first.
    first = {everywhere if len(given) > 1 else given[0] for everywhere, given in places.items()}
    try:
        if await gateway.may("*", _EVERYTHING):
            return set()
        missing = await _ask(gateway, first)
        rest = {right for everywhere in missing for right in places.get(everywhere, ())} - first
        return (missing | await _ask(gateway, rest)) & set(wanted)
    except (Forbidden, NotFound):
        return set()


async def _ask(gateway: Gateway, wanted: Collection[Right]) -> set[Right]:
    missing: set[Right] = set()

    async def ask(right: Right) -> None:
        if not await gateway.may(right.verb, right.resource, subresource=right.subresource, namespace=right.namespace):
            missing.add(right)

    for _, error in await for_each(wanted, ask):
        raise error
    return missing


def sentence(verbs: Sequence[str], what: str) -> str:
    """`this account may not create or patch jobs.batch in namespace default`."""
    listed = verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} or {verbs[-1]}"
    return f"this account may not {listed} {what}"
