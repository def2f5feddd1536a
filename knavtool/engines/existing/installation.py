"""What a component puts into a cluster: objects that knavtool sends, and a release of a chart that Helm installs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from knavtool.render.manifests import ManifestSet
from knavtool.toolchain import checksums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knavtool.kube.resource import Manifest

DEFINITION = "CustomResourceDefinition"
NAMESPACE = "Namespace"
API_SERVICE = "APIService"


class Ref(NamedTuple):
    """Which object; `namespace` is "" for kinds that live in none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def some(refs: Sequence[Ref], most: int = 3) -> str:
    """The first of them and how many more there are, for messages."""
    shown = ", ".join(map(str, refs[:most]))
    return f"{shown} and {len(refs) - most} more" if len(refs) > most else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of a chart, with the objects that Helm makes of it, hooks not included.

    Values and objects may have secrets of the user in them.
    """

    name: str
    namespace: str
    chart: Path
    values: Mapping[str, Any] = field(repr=False)
    objects: ManifestSet = field(repr=False)

    def digest(self) -> str:
        """Changes with the chart and the values: a release that was made of the same needs no Helm."""
        files = [self.chart] if self.chart.is_file() else sorted(self.chart.rglob("*"))
        sums = [checksums.digest_of(path)[0].hexdigest() for path in files if path.is_file()]
        return hashlib.sha256(orjson.dumps([sums, self.values], option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One component as it is to be in the cluster.

    `objects` are those that knavtool sends; of a chart its CustomResourceDefinitions, which Helm would never bring up
    to date. `after` are definitions that must be served before the objects can be, `serves` group versions that the
    cluster itself must serve, and `needs` the components that come before. `makes` are objects that its controllers
    make by themselves, and `hooks` those that Helm makes beside the release. `given` are those values of the chart
    that the user gave, without credentials.
    """

    name: str
    version: str
    objects: ManifestSet = field(default_factory=ManifestSet)
    release: Release | None = None
    after: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    makes: tuple[Ref, ...] = ()
    hooks: tuple[Ref, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def everything(self) -> tuple[Manifest, ...]:
        """All objects, whoever sends them."""
        return (*self.objects, *(self.release.objects if self.release is not None else ()))

    @property
    def definitions(self) -> list[Manifest]:
        """The CustomResourceDefinitions that knavtool sends."""
        return [one for one in self.objects if one["kind"] == DEFINITION]

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"
