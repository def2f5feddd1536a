"""Chooses how progress is shown: a live tree on a terminal, lines in a log, JSON for programs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.events import Emit
    from knavtool.recording.pulse import Pulse
    from knavtool.report.recorder import Recorder


@contextmanager
def view(
    stream: TextIO,
    *,
    live: bool,
    json: bool,
    verbose: bool,
    epoch: float,
    stdout_is_terminal: bool = False,
    pulse: Pulse | None = None,
) -> Iterator[Emit]:
    """A listener that shows events on `stream` until the block ends; rich is imported for a terminal only.

    A live tree has the `pulse` below it.
    """
    if json:
        from knavtool.report.lines import JsonLines

        yield JsonLines(stream, epoch=epoch)
    elif live:
        from knavtool.report.live import LiveTree

        with LiveTree(stream, verbose=verbose, stdout_is_terminal=stdout_is_terminal, pulse=pulse) as tree:
            yield tree
    else:
        from knavtool.report.lines import Lines

        with Lines(stream, verbose=verbose) as lines:
            yield lines


def end(stream: TextIO, recorder: Recorder, *, live: bool, verbose: bool, error_message: str) -> None:
    """Write the last lines of a command; `error_message` is that of the error that will be printed after them."""
    if live:
        from knavtool.report.live import print_closing

        print_closing(stream, recorder, verbose=verbose, error_message=error_message)
    else:
        from knavtool.report.closing import closing

        stream.writelines(f"{line}\n" for line in closing(recorder.roots, error_message=error_message))
