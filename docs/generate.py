"""Write what is made from the code: the schema of workflows, rights and types of the chart, tables, the help.

Usage: python docs/generate.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer.main
from chart_rights import chart_data

from knavtool.cli.app import cli
from knavtool.measure.names import DISTRIBUTIONS, GOOD, SINGLE
from knavtool.measure.tables import COLUMNS, TITLES
from knavtool.workflow.registry import built_in, schema_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.table import Column
    from knavtool.workflow.task import TaskType

ROOT = Path(__file__).resolve().parents[1]
_BY_KIND = ("apiVersion", "kind", "name", "namespace", "labels", "ownedBy")
_DISTRIBUTIONS = "| measure | unit | better | table | meaning |\n|---|---|---|---|---|\n"
_SINGLE = "| measure | unit | better | meaning |\n|---|---|---|---|\n"
_TABLES = "An empty cell is not known, or did not happen.\n"
_HEAD = "| type | does | params (**bold**: required) |\n|---|---|---|\n"


def outputs() -> dict[Path, str]:
    """The text of each file."""
    chart = ROOT / "charts" / "knavtool"
    return {
        ROOT / "schemas" / "workflow.schema.json": schema_text(built_in()),
        chart / "files" / "rights.yaml": chart_data(),
        chart / "values.schema.json": _with_types((chart / "values.schema.json").read_text()),
        ROOT / "knavtool" / "cli" / "help.txt": _help(),
        ROOT / "docs" / "measures.md": _with_measures((ROOT / "docs" / "measures.md").read_text()),
        ROOT / "docs" / "workflows.md": _with_table((ROOT / "docs" / "workflows.md").read_text()),
    }


def _help() -> str:
    """What `knavtool --help` prints in 80 columns."""
    command = typer.main.get_command(cli)
    context = command.make_context("knavtool", [], resilient_parsing=True)
    return context.get_help() + "\n"


def _with_types(text: str) -> str:
    """The schema of the chart's values, with the names of all task types."""
    schema = json.loads(text)
    schema["properties"]["tasks"]["items"]["enum"] = [*built_in().tasks, *built_in().blocks]
    return json.dumps(schema, indent=2) + "\n"


def _with_table(text: str) -> str:
    """The document, with a line of its table for each type."""
    types = {**built_in().tasks, **built_in().blocks}
    rows = "".join(f"| `{name}` | {_does(type_)} | {_params(type_)} |\n" for name, type_ in types.items())
    return re.sub(rf"{re.escape(_HEAD)}(\|.*\n)+", lambda _: _HEAD + rows, text)


def _with_measures(text: str) -> str:
    """The document, with a line for each measure and each column of a table."""
    distributions = "".join(
        f"| `{name}` | {one.unit} | {GOOD[name]} | {one.table} | {one.text} |\n" for name, one in DISTRIBUTIONS.items()
    )
    single = "".join(f"| `{name}` | {unit} | {GOOD[name]} | {meaning} |\n" for name, (unit, meaning) in SINGLE.items())
    for head, rows in ((_DISTRIBUTIONS, distributions), (_SINGLE, single)):
        text = re.sub(rf"{re.escape(head)}(\|.*\n)*", lambda _, given=head + rows: given, text)
    before = text.partition(_TABLES)[0]
    return before + _TABLES + "".join(f"\n{_table(name, columns)}" for name, columns in COLUMNS.items())


def _table(name: str, columns: Sequence[Column]) -> str:
    rows = "".join(f"| {one.name} | {one.unit} | {one.text} |\n" for one in columns)
    return f"### {name}\n\n{TITLES[name]}.\n\n| column | unit | meaning |\n|---|---|---|\n{rows}"


def _does(type_: type[TaskType]) -> str:
    return type_.summary[0].lower() + type_.summary[1:].removesuffix(".")


def _params(type_: type[TaskType]) -> str:
    names = list(type_.schema["properties"])
    by_kind = "kind" in names
    required = set(type_.schema.get("required", ()))
    shown = []
    for name in names:
        if name == "refTaskId" and by_kind:
            shown.append("**refTaskId** or a [kind](#objects-by-kind)")
        elif not by_kind or name not in _BY_KIND:
            shown.append(f"**{name}**" if name in required else name)
    return ", ".join(shown)


if __name__ == "__main__":
    for file, content in outputs().items():
        file.write_text(content)
