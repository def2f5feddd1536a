"""`knavtool bench`."""

from __future__ import annotations

from knavtool.cli.commands import Command, group

app = group(
    {
        "run": Command("knavtool.cli.bench.run", "Run a bench; `knavtool bench FILE` is short for it."),
        "compare": Command("knavtool.cli.bench.compare", "Say what moved from one result to another."),
    },
    default="run",
    help="Run one workload on several schedulers, versions or settings, repeatedly, and compare them.",
)
