"""The options that say which chart a component is installed from, and with which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeAlias

import typer

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from knavtool.catalogue.records import Component
    from knavtool.toolchain.charts import Chart

Charts: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--chart",
        envvar="KNAVTOOL_CHART",
        metavar="NAME=CHART",
        help="With --engine existing: use this chart for a component, as a directory, an archive or "
        "oci://HOST/PATH:VERSION; repeatable.",
    ),
]
Values: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--values",
        envvar="KNAVTOOL_VALUES",
        metavar="NAME=FILE",
        help="With --engine existing: values for the chart of a component, over those of its record; repeatable. "
        "They are kept until others are given.",
    ),
]


def with_charts(components: Sequence[Component], pairs: Sequence[str]) -> tuple[tuple[Component, ...], dict[str, Path]]:
    """The components with the charts of `--chart`: those in registries in their records, and by name those in files.

    Raises UsageError for a chart of a component that is not wanted or has none.
    """
    from knavtool.toolchain.charts import given_charts

    charts = given_charts(pairs)
    if unknown := sorted(charts.keys() - set(of_charts(components))):
        raise UsageError(f"--chart {unknown[0]}=...: {unknown[0]} is no wanted component with a chart")
    files = {name: chart for name, chart in charts.items() if isinstance(chart, Path)}
    return tuple(_with_chart(one, charts.get(one.name)) for one in components), files


def given_values(pairs: Sequence[str], components: Sequence[Component]) -> Mapping[str, Mapping[str, Any]]:
    """The values of `--values` by component. Raises UsageError or InvalidDocument for what is wrong with them."""
    from knavtool.engines.existing.values import read_values, require_charts

    files = []
    for text in pairs:
        name, _, given = text.partition("=")
        if not name or not given:
            raise UsageError(f"--values {text}: expected NAME=FILE, for example kube-prometheus-stack=values.yaml")
        files.append((name, Path(given).expanduser()))
    require_charts([name for name, _ in files], of_charts(components), [one.name for one in components])
    return read_values(files)


def of_charts(components: Sequence[Component]) -> list[str]:
    """The names of components that are installed from a chart."""
    return [one.name for one in components if one.chart is not None]


def _with_chart(one: Component, chart: Chart | Path | None) -> Component:
    if chart is None or isinstance(chart, Path) or one.chart is None:
        return one
    face = replace(
        one.chart,
        repository=chart.repository,
        name=chart.name,
        version=chart.version,
        digest=None,
        manifest=chart.manifest,
    )
    return replace(one, version=chart.version, chart=face)
