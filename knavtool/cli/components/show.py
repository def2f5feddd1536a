"""`knavtool components show`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """What `components show` writes."""

    YAML = "yaml"
    JSON = "json"


def show(
    name: Annotated[str, typer.Argument(help="Name of the component.")],
    output: Annotated[
        Format, typer.Option("--output", "-o", envvar="KNAVTOOL_OUTPUT", help="Output format.")
    ] = Format.YAML,
) -> None:
    """Print the record of a component, its file and the engines that support it."""
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.catalogue.reading import read

    catalogue = Catalogue.load(os.environ)
    record = catalogue.record(name)
    shown = {"file": str(catalogue.files[name]), "engines": list(read(record).engines), "record": record}
    if output is Format.JSON:
        import json

        print(json.dumps(shown, indent=2))
    else:
        import yaml

        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
