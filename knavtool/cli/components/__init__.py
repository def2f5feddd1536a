"""`knavtool components`."""

from __future__ import annotations

from knavtool.cli.commands import Command, group

app = group(
    {
        "list": Command("knavtool.cli.components.list", "List all components, yours included."),
        "show": Command("knavtool.cli.components.show", "Print the record of a component."),
        "verify": Command(
            "knavtool.cli.components.verify", "Check that charts and release files are published as the records say."
        ),
    },
    help="List the schedulers, controllers and monitors that a cluster can have.",
)
