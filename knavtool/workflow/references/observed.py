"""What a run has to follow from its beginning, because later tasks look at it. The plan carries it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.workflow.references.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPods:
    """The pods of a submission, by the id of its task, that a task looks at.

    With `lives` it judges all that became of each, also of those that are gone; `labels` are the keys of the labels it
    reads.
    """

    ref: str
    lives: bool = False
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """`followed` are the keys of the submissions whose pods are followed from before there are any.

    `judges` counts by the key of a submission the tasks that judge the lives of its pods; `labels` are those of pods.
    """

    followed: frozenset[int] = frozenset()
    judges: Mapping[int, int] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()

    @classmethod
    def by(cls, tasks: Iterable[tuple[Scope, Iterable[ObservedPods]]]) -> Observed:
        """Of all tasks of a plan, each with its scope; a reference that leads nowhere observes nothing."""
        followed: set[int] = set()
        judges: Counter[int] = Counter()
        labels: set[str] = set()
        for scope, pods in tasks:
            for one in pods:
                if (planned := scope.submissions.get(one.ref)) is not None:
                    followed.update(planned.keys)
                    judges.update(planned.keys if one.lives else ())
                    labels |= one.labels
        return cls(followed=frozenset(followed), judges=judges, labels=frozenset(labels))
