"""The task types: one module each, and the tables that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.workflow.tasks.check_configmap import CheckConfigmap
from knavtool.workflow.tasks.check_measure import CheckMeasure
from knavtool.workflow.tasks.check_metric import CheckMetric
from knavtool.workflow.tasks.check_obj import CheckObj
from knavtool.workflow.tasks.check_placement import CheckPlacement
from knavtool.workflow.tasks.check_pod import CheckPod
from knavtool.workflow.tasks.configure import Configure
from knavtool.workflow.tasks.delete_obj import DeleteObj
from knavtool.workflow.tasks.parallel import Parallel
from knavtool.workflow.tasks.pause import Pause
from knavtool.workflow.tasks.register_obj import RegisterObj
from knavtool.workflow.tasks.repeat import Repeat
from knavtool.workflow.tasks.sleep import Sleep
from knavtool.workflow.tasks.submit_obj import SubmitObj
from knavtool.workflow.tasks.update_nodes import UpdateNodes
from knavtool.workflow.tasks.update_obj import UpdateObj

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.workflow.task import Block, Task, TaskType

TASKS: Mapping[str, type[Task]] = {
    type_.__name__: type_
    for type_ in (
        Configure,
        RegisterObj,
        SubmitObj,
        UpdateObj,
        CheckObj,
        CheckPod,
        CheckConfigmap,
        DeleteObj,
        UpdateNodes,
        Sleep,
        Pause,
        CheckPlacement,
        CheckMetric,
        CheckMeasure,
    )
}

BLOCKS: Mapping[str, type[Block]] = {type_.__name__: type_ for type_ in (Parallel, Repeat)}
"""Types that hold tasks."""

TYPES: Mapping[str, type[TaskType]] = {**TASKS, **BLOCKS}
