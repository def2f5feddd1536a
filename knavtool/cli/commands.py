"""Groups of commands whose modules are imported when one of them is called, so that `--help` waits for none."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import typer
import typer.core
import typer.main

if TYPE_CHECKING:
    from collections.abc import Mapping


class Command(NamedTuple):
    """Where a command is and what a list of commands says of it."""

    module: str
    """The module with a function, or for a group an `app`, of the command's name."""
    summary: str


class _Group(typer.core.TyperGroup):
    """A group that knows its commands by name and imports them one by one."""

    table: ClassVar[Mapping[str, Command]]
    default: ClassVar[str] = ""
    """The command that is meant if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.default and args and args[0] not in self.table:
            args = [self.default, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signatures are those of Typer
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in self.commands and cmd_name in self.table:
            self.commands[cmd_name] = _imported(cmd_name, self.table[cmd_name].module)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self.table.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # Typer looks for similar names among those that are loaded.
        if args and args[0] not in self.table:
            for name in self.table:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def group(table: Mapping[str, Command], *, default: str = "", **settings: Any) -> typer.Typer:
    """A group of these commands in this order; `default` is meant if none is named. `settings` are Typer's."""
    cls = type("Group", (_Group,), {"table": table, "default": default})
    return typer.Typer(cls=cls, no_args_is_help=True, rich_markup_mode=None, **settings)


def _imported(name: str, module: str) -> Any:
    """The command or group of a module, as Typer calls it."""
    found = import_module(module)
    if isinstance(inner := getattr(found, "app", None), typer.Typer):
        group_command = typer.main.get_group(inner)
        group_command.name = name
        return group_command
    # `list` is called `list_` where it would hide Python's own.
    function = getattr(found, name, None) or getattr(found, f"{name}_")
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)
