"""Test Kubernetes batch and AI schedulers on GPU clusters you do not have.

`cluster` is what programs use; docs/python.md shows how. All else here may change without notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from knavtool.harness.cluster import Cluster

__all__ = ["__version__", "cluster"]

__version__ = "0.1.0"


def cluster(**options: Any) -> AbstractAsyncContextManager[Cluster]:
    """A new local cluster for a block: `async with knavtool.cluster(with_="kueue") as c`.

    The options are those of `knavtool.harness.cluster.cluster`.
    """
    # It takes 0.3 s to import, which no command should wait for.
    from knavtool.harness import cluster as module

    return module.cluster(**options)
