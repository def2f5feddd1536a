"""`knavtool toolchain`."""

from __future__ import annotations

from knavtool.cli.commands import Command, group

app = group(
    {
        "install": Command("knavtool.cli.toolchain.install", "Find, download or build the programs."),
        "list": Command("knavtool.cli.toolchain.list", "List the programs, their versions and where they are."),
        "prune": Command("knavtool.cli.toolchain.prune", "Remove programs that no cluster uses."),
        "path": Command("knavtool.cli.toolchain.path", "Print the path of a program."),
    },
    help="Install and locate the programs of a local cluster.",
)
