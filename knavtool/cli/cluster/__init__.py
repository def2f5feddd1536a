"""`knavtool cluster`."""

from __future__ import annotations

from knavtool.cli.commands import Command, group

app = group(
    {
        "up": Command("knavtool.cli.cluster.up", "Start a control plane, or install components in a cluster."),
        "status": Command("knavtool.cli.cluster.status", "List what runs in a cluster and whether it is healthy."),
        "logs": Command("knavtool.cli.cluster.logs", "Print the log of one process of a local cluster."),
        "save": Command("knavtool.cli.cluster.save", "Write a running local cluster to a file for `up --from`."),
        "down": Command("knavtool.cli.cluster.down", "Stop a local cluster, or remove what `up` installed."),
        "render": Command(
            "knavtool.cli.cluster.render", "Write what `up --engine existing` would install as a GitOps tree."
        ),
    },
    help="Start, inspect and stop a Kubernetes control plane.",
)
