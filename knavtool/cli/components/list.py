"""`knavtool components list`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.catalogue.records import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """One line of `components list`; `engines` are those that can have the component, `faces` how they have it."""

    name: str
    version: str
    engines: tuple[str, ...]
    faces: tuple[str, ...]
    role: str
    needs: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One line of `components list --versions`: a version that is known to work, and whether it is the default."""

    name: str
    version: str
    default: bool


def list_(
    versions: Annotated[
        bool, typer.Option("--versions", envvar="KNAVTOOL_VERSIONS", help="List the versions that are known to work.")
    ] = False,
    output: options.OutputFormat = options.Output.TABLE,
) -> None:
    """List the components of the catalogue, including your own records."""
    from knavtool.catalogue.catalogue import Catalogue

    components, wrong = Catalogue.load(os.environ).sound()
    rows: list[Any] = list(_versions(components) if versions else map(_row, components))
    print_rows(rows, output)
    if wrong:
        raise DocumentError("\n".join(error.message for error in wrong))


def _row(one: Component) -> ComponentRow:
    return ComponentRow(
        name=one.name,
        version=one.version,
        engines=one.engines,
        faces=one.faces,
        role=one.role,
        needs=one.needs,
        title=one.title,
    )


def _versions(components: Iterable[Component]) -> Iterator[VersionRow]:
    from knavtool.catalogue.versions import KUBERNETES
    from knavtool.toolchain.pins import kubernetes_releases

    releases = kubernetes_releases()
    known = {KUBERNETES: (releases.default, releases.tried)}
    known |= {one.name: (one.version, one.tried) for one in components}
    for one in components:
        if one.follows in known:
            known[one.name] = known[one.follows]
    for name, (default, tried) in known.items():
        yield from (VersionRow(name=name, version=version, default=version == default) for version in tried)
