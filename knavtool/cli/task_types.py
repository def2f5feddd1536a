"""Which task types a command knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.workflow.registry import Registry


def task_types(*, no_plugins: bool) -> Registry:
    """Those of knavtool, and those that other packages bring; entry points are read here and not before."""
    from knavtool.workflow.plugins import installed
    from knavtool.workflow.registry import built_in

    return built_in() if no_plugins else installed()
