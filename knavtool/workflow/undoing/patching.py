"""Patches of objects: their parts as the API wants them, whether they change anything, and what takes them back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource

_IDENTITY = ("apiVersion", "kind")
_SHARED = ("labels", "annotations")
"""Maps that others write into as well; to the API an empty one is the same as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """`main` is a merge patch of the object, `status` one of its subresource.

    With `strategic` that of the status is a strategic merge patch, which merges conditions by their type.
    """

    main: Manifest = field(default_factory=dict)
    status: Manifest = field(default_factory=dict)
    strategic: bool = False

    @classmethod
    def of(cls, state: Mapping[str, Any], *, strategic: bool = False) -> Patch:
        """The patch that gives an object the fields of `state`; null removes a field."""
        main = {key: value for key, value in state.items() if key not in (*_IDENTITY, "status")}
        return cls(main=main, status={"status": state["status"]} if "status" in state else {}, strategic=strategic)

    def __bool__(self) -> bool:
        return bool(self.main or self.status)

    def reverse(self, live: Mapping[str, Any]) -> Patch:
        """What gives the fields of this patch the values they have in `live`; empty if the patch changes nothing."""
        return Patch(
            main=_reverse(self.main, live, by_type=False),
            status=_reverse(self.status, live, by_type=self.strategic),
            strategic=self.strategic,
        )

    async def send(
        self, gateway: Gateway, resource: Resource, name: str, *, namespace: str | None, uid: str = ""
    ) -> int:
        """Send what there is to send; returns the resource version that the object got, 0 if nothing was sent.

        With `uid` another object of that name is refused, as Conflict or Invalid.
        """
        answer: Manifest = {}
        if self.main:
            answer = await gateway.patch(resource, name, _guarded(self.main, uid), namespace=namespace)
        if self.status:
            answer = await gateway.patch(
                resource,
                name,
                _guarded(self.status, uid),
                namespace=namespace,
                subresource="status",
                strategic=self.strategic,
            )
        return int(answer["metadata"]["resourceVersion"]) if answer else 0


def _guarded(body: Manifest, uid: str) -> Manifest:
    return {**body, "metadata": {**body.get("metadata", {}), "uid": uid}} if uid else body


def _reverse(patch: Mapping[str, Any], live: Mapping[str, Any], *, by_type: bool) -> Manifest:
    """Field by field, so that what others change elsewhere in the object stays."""
    former: Manifest = {}
    for key, value in patch.items():
        old = live.get(key)
        if isinstance(value, dict) and (isinstance(old, dict) or (old is None and key in _SHARED)):
            if inner := _reverse(value, old or {}, by_type=by_type):
                former[key] = inner
        elif by_type and _typed(value) and (old is None or _typed(old)):
            if items := _reverse_items(value, old or []):
                former[key] = items
        elif old != value:
            former[key] = old
    return former


def _reverse_items(patch: list[Manifest], live: list[Manifest]) -> list[Manifest]:
    """The former items of a list that is merged by `type`."""
    before = {item["type"]: item for item in live}
    former: list[Manifest] = []
    for item in patch:
        old = before.get(item["type"])
        if old is None:
            former.append({"type": item["type"], "$patch": "delete"})
        elif old != {**old, **item}:
            # A field that the patch adds to the item is not taken back by merging: null removes it.
            former.append({**dict.fromkeys(item.keys() - old.keys()), **old})
    return former


def _typed(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "type" in item for item in value)
