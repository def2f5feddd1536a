"""`knavtool nodes`."""

from __future__ import annotations

from knavtool.cli.commands import Command, group

app = group(
    {
        "render": Command("knavtool.cli.nodes.render", "Generate the nodes of a values file, without a cluster."),
        "apply": Command("knavtool.cli.nodes.apply", "Make the cluster's virtual nodes those of a values file."),
        "list": Command("knavtool.cli.nodes.list", "List the virtual nodes of a cluster."),
        "delete": Command("knavtool.cli.nodes.delete", "Delete virtual nodes, never any other."),
    },
    help="Render, install, list and delete virtual nodes.",
)
