"""Progress of a command on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

from knavtool.cli import crash, streams
from knavtool.cli.options import Globals, LogFormat
from knavtool.errors import KnavError, primary_error
from knavtool.events import Emit, Listeners, Noted, Steps
from knavtool.report import console
from knavtool.report.recorder import Recorder

if TYPE_CHECKING:
    from knavtool.recording.pulse import Pulse


@contextmanager
def steps(settings: Globals, *, listen: Iterable[Emit] = (), pulse: Pulse | None = None) -> Iterator[Steps]:
    """Steps whose events are sent to every listener, and then shown on stderr.

    A live tree on a terminal, with the `pulse` of a run below it, lines elsewhere, one JSON object per event with
    `--log-format json`. The end of a run is its table and totals. Failures that have more to say than one line, and
    are not the error that ends the command, are shown in full. A view that fails, because its reader has gone or the
    disk is full, changes nothing of the command: it is sent nothing more, and a warning says so if there is still a
    way to say it.
    """
    stream = sys.stderr
    as_json = settings.log_format is LogFormat.JSON
    verbose = settings.verbose > 0
    live = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    epoch = time.time() - time.monotonic()
    recorder = Recorder(epoch=epoch)
    listeners = Listeners(recorder, *listen)
    failures: list[Exception] = []
    error_message = ""
    closing = ExitStack()
    try:
        view = console.view(
            stream,
            live=live,
            json=as_json,
            verbose=verbose,
            epoch=epoch,
            stdout_is_terminal=sys.stdout.isatty(),
            pulse=pulse,
        )
        listeners.add(closing.enter_context(view))
        yield Steps(listeners)
    except BaseException as error:
        cause = primary_error(error)
        error_message = cause.message if isinstance(cause, KnavError) else ""
        raise
    finally:
        failures = [error for _, error in listeners.failures]
        try:
            closing.close()
            if not as_json:
                console.end(stream, recorder, live=live, verbose=verbose, error_message=error_message)
        except Exception as error:  # noqa: BLE001 - what the command did is done, whether its end can be shown or not
            failures.append(error)
        if failures:
            _tell(failures[0], stream, listeners, epoch if as_json else None)


def _tell(failure: Exception, stream: TextIO, listeners: Listeners, epoch: float | None) -> None:
    """Say that progress was not shown whole; `epoch` is given if stderr is JSON."""
    reason = (failure.strerror or str(failure)) if isinstance(failure, OSError) else crash.described(failure)
    warning = Noted(message=f"progress could not be shown to its end: {reason}", warning=True)
    listeners(warning)
    if epoch is None:
        streams.say(f"warning: {warning.message}")
        return
    from knavtool.report.lines import JsonLines

    Listeners(JsonLines(stream, epoch=epoch))(warning)
