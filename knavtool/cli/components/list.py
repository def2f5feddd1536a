"""`knavtool components list`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.errors import DocumentError


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


def list_(output: options.OutputFormat = options.Output.TABLE) -> None:
    """List the components of the catalogue, including your own records."""
    from knavtool.catalogue.catalogue import Catalogue

    components, wrong = Catalogue.load(os.environ).sound()
    rows = [
        ComponentRow(
            name=one.name,
            version=one.version,
            engines=one.engines,
            faces=one.faces,
            role=one.role,
            needs=one.needs,
            title=one.title,
        )
        for one in components
    ]
    print_rows(rows, output)
    if wrong:
        raise DocumentError("\n".join(error.message for error in wrong))
