"""The three standard streams: always there, and never in the way of what a command has to do."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from knavtool.errors import ExitCode, KnavError, OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderGone(KnavError):
    """Whoever read stdout has had enough, as `head` does; nothing is said about it."""

    exit_code = ExitCode.READER_GONE


class _Output(io.FileIO):
    """Standard output that tells its own errors from those of other files."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderGone("nobody reads stdout any more") from error
        except OSError as error:
            raise OutputError(f"cannot write to stdout: {error.strerror or error}") from error


def complete() -> None:
    """Put /dev/null in the place of each standard stream that the caller has closed, and let stdout raise KnavError.

    Otherwise the next file or connection would get the number, and with it what is written to the stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Takes the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY), True)
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open as long as the process
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - see above
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - see above
    if sys.stdout is sys.__stdout__ and isinstance(given := sys.stdout, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(given.fileno(), "w", closefd=False)),
            encoding=given.encoding,
            errors=given.errors,
            newline="\n",
            line_buffering=given.line_buffering,
            write_through=given.write_through,
        )


def say(text: str) -> None:
    """Write a message to stderr; one that nobody can read does not matter more than what it is about."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        give_up(sys.stderr)


def settle() -> None:
    """Leave nothing in the streams that could not be written: the interpreter would end with another exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (KnavError, OSError, ValueError):
            give_up(stream)


def give_up(stream: TextIO) -> None:
    """Lead a stream to nowhere, with what is left in it."""
    try:
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        stream.flush()
    except (KnavError, OSError, ValueError):
        pass  # not a file of the system, or closed: then nothing is left in it
