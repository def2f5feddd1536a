"""Chooses how progress is shown: a live tree on a terminal, lines in a log, JSON for programs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.events import Emit


@contextmanager
def view(
    stream: TextIO, *, live: bool, json: bool, verbose: bool, epoch: float, stdout_is_terminal: bool = False
) -> Iterator[Emit]:
    """A listener that shows events on `stream` until the block ends; rich is imported for a terminal only."""
    if json:
        from knavtool.report.lines import JsonLines

        yield JsonLines(stream, epoch=epoch)
    elif live:
        from knavtool.report.live import LiveTree

        with LiveTree(stream, verbose=verbose, stdout_is_terminal=stdout_is_terminal) as tree:
            yield tree
    else:
        from knavtool.report.lines import Lines

        with Lines(stream, verbose=verbose) as lines:
            yield lines
