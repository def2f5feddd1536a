"""Whatever a values file holds: the nodes it means, made on a cluster, or plain words with a place."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from hypothesis import given

from fuzz import documents, odd
from fuzz.cases import cases
from fuzz.running import plain, well_told
from fuzz.world import run
from knavtool import resources
from knavtool.documents.values import NodeValues, node_names, parse_values
from knavtool.documents.yaml import load_rendered, load_text
from knavtool.errors import InvalidDocument, RenderError
from knavtool.events import Steps
from knavtool.helm import Helm
from knavtool.kube.resource import NODES
from knavtool.nodes.apply import apply_nodes
from knavtool.render.nodes import NodeBatch, NodeSet, render_nodes
from support.events import ignore
from support.memory import Memory
from support.nodes import prototype
from support.programs import program

EXAMPLE = (resources.chart("virtual-nodes") / "values-example.yaml").read_text()


def values_from(text: str) -> NodeValues | None:
    """The values; None if the text was refused, which it must be with good messages."""
    try:
        return parse_values(load_text(text, "values.yaml"))
    except InvalidDocument as error:
        well_told(error.violations, text)
        return None


async def applied(values: NodeValues) -> None:
    """Nodes on a cluster in memory: those of the file and no others, and a second time nothing changes."""
    batches = tuple(
        NodeBatch(
            prototype=prototype(
                labels=entry.labels,
                annotations=entry.annotations,
                taints=entry.taints,
                conditions=entry.conditions,
                resources=entry.resources or None,
            ),
            names=tuple(names),
        )
        for entry, names in zip(values.entries, node_names(values.entries), strict=True)
        if names
    )
    wanted = NodeSet(batches=batches)
    if len(wanted) > 50:
        return
    cluster = Memory()
    first = await apply_nodes(cluster, wanted, steps=Steps(ignore), timeout=10)
    assert first.created == len(wanted)
    assert sorted(node["metadata"]["name"] for node in await cluster.list(NODES)) == sorted(wanted.names())
    again = await apply_nodes(cluster, wanted, steps=Steps(ignore), timeout=10)
    assert again.unchanged == len(wanted)
    assert not again.created
    assert not again.changed


def through(text: str) -> None:
    values = values_from(text)
    if values is not None:
        run(applied(values))


@cases(400)
@given(document=documents.values())
def test_nearly_valid_values(document: Any) -> None:
    through(yaml.safe_dump(document, sort_keys=False))


@cases(300)
@given(document=odd.changed(yaml.safe_load(EXAMPLE)))
def test_the_example_with_changes(document: Any) -> None:
    through(yaml.safe_dump(document, sort_keys=False))


@cases(300)
@given(text=odd.scrawled(EXAMPLE))
def test_the_example_scrawled_upon(text: str) -> None:
    through(text)


@cases(40)
@given(document=documents.values())
def test_what_helm_renders(document: Any) -> None:
    """The same with the real engine and chart, which take a tenth of a second a time."""
    text = yaml.safe_dump(document, sort_keys=False)
    values = values_from(text)
    if values is None:
        return
    try:
        nodes = asyncio.run(render_nodes(Helm(program("helm")), values.entries))
    except RenderError as error:
        plain(error.message, text)
        pytest.fail(f"valid values were not rendered: {error.message}")
    assert nodes.names() == [name for names in node_names(values.entries) for name in names]
    for batch in nodes.batches:
        assert load_rendered("".join(batch.yaml()))
