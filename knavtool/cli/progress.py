"""Progress of a command on stderr."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from knavtool.cli.options import Globals, LogFormat
from knavtool.errors import KnavError, blamed
from knavtool.events import Emit, Event, Steps
from knavtool.report import console
from knavtool.report.recorder import Recorder


@contextmanager
def steps(settings: Globals, *, listen: Iterable[Emit] = ()) -> Iterator[Steps]:
    """Steps whose events are shown on stderr and told to every listener.

    A live tree on a terminal, lines elsewhere, one JSON object per event with `--log-format json`. The end of a run is
    its table and totals. Failures that have more to say than one line, and are not the error that ends the command,
    are told in full.
    """
    stream = sys.stderr
    as_json = settings.log_format is LogFormat.JSON
    live = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    epoch = time.time() - time.monotonic()
    recorder = Recorder(epoch=epoch)
    told = ""
    try:
        with console.view(
            stream,
            live=live,
            json=as_json,
            verbose=settings.verbose > 0,
            epoch=epoch,
            stdout_is_terminal=sys.stdout.isatty(),
        ) as shown:
            yield Steps(_fan_out([recorder, shown, *listen]))
    except BaseException as error:
        cause = blamed(error)
        told = cause.message if isinstance(cause, KnavError) else ""
        raise
    finally:
        if not as_json:
            console.end(stream, recorder, live=live, verbose=settings.verbose > 0, told=told)


def _fan_out(listeners: list[Emit]) -> Emit:
    """One listener that tells many; a lock, because downloads report from threads of their own."""
    lock = threading.Lock()

    def emit(event: Event) -> None:
        with lock:
            for listener in listeners:
                listener(event)

    return emit
