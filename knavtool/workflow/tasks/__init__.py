"""The task types: one module each, and the tables that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.workflow.tasks.check_obj import CheckObj
from knavtool.workflow.tasks.check_placement import CheckPlacement
from knavtool.workflow.tasks.check_pod import CheckPod
from knavtool.workflow.tasks.configure import Configure
from knavtool.workflow.tasks.delete_obj import DeleteObj
from knavtool.workflow.tasks.parallel import Parallel
from knavtool.workflow.tasks.register_obj import RegisterObj
from knavtool.workflow.tasks.repeat import Repeat
from knavtool.workflow.tasks.sleep import Sleep
from knavtool.workflow.tasks.submit_obj import SubmitObj

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.workflow.task import Block, Task

TASKS: Mapping[str, type[Task]] = {
    "Configure": Configure,
    "RegisterObj": RegisterObj,
    "SubmitObj": SubmitObj,
    "CheckObj": CheckObj,
    "CheckPod": CheckPod,
    "CheckPlacement": CheckPlacement,
    "DeleteObj": DeleteObj,
    "Sleep": Sleep,
}

BLOCKS: Mapping[str, type[Block]] = {
    "Parallel": Parallel,
    "Repeat": Repeat,
}
"""Types that hold tasks."""
