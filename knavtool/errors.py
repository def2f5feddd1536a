"""Every error a user can meet.

KnavError
├── DocumentError      2  a file or an argument is wrong
│   ├── InvalidDocument      violations with file:line:column
│   ├── UsageError           an option or argument
│   └── PluginError          an installed package brings a task type that cannot be used
├── RenderError        3  a chart or template could not be rendered
├── EngineError        4  the local cluster or the toolchain failed
│   ├── BinaryMissing        no source gave a program
│   └── ProcessDied          a control-plane process ended; carries its log's tail
├── ClusterError       5  the API refused or is unreachable
│   ├── Unreachable, Unauthorized, Forbidden, NotFound, NotServed, Conflict, AlreadyExists, Invalid, Expired
│   └── DeadlineExceeded
├── InternalError     70  a fault of knavtool itself; so is every exception that is no KnavError
├── OutputError       74  what was asked for could not be written: stdout, a report
└── (a failed check is a result, not an error: exit code 1)

A message says what happened and where; `hint` says what to try.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a file system that has no room, or none for this user."""


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    OK = 0
    CHECK_FAILED = 1
    BAD_INPUT = 2
    RENDER_FAILED = 3
    ENGINE_FAILED = 4
    API_FAILED = 5
    INTERNAL = 70
    OUTPUT_FAILED = 74
    INTERRUPTED = 130
    READER_GONE = 141


class KnavError(Exception):
    """Base of all errors shown to users; each class owns its exit code."""

    exit_code = ExitCode.ENGINE_FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DocumentError(KnavError):
    """A file or an argument of the user is wrong."""

    exit_code = ExitCode.BAD_INPUT


class UsageError(DocumentError):
    """An option or argument cannot be used as given."""


class PluginError(DocumentError):
    """An installed package brings a task type that cannot be used."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing wrong in one document; line and column count from 1, 0 means unknown."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class InvalidDocument(DocumentError):
    """One or more documents have violations; all of them are reported at once."""

    def __init__(self, violations: Sequence[Violation], *, hint: str = "") -> None:
        self.violations = tuple(sorted(set(violations)))
        super().__init__("\n".join(str(violation) for violation in self.violations), hint=hint)


class RenderError(KnavError):
    """A chart or template could not be rendered."""

    exit_code = ExitCode.RENDER_FAILED


class EngineError(KnavError):
    """The local cluster or the toolchain failed."""

    exit_code = ExitCode.ENGINE_FAILED


class BinaryMissing(EngineError):
    """None of the sources gave a program.

    `attempts` holds one (source, reason) pair per source that was tried, in order.
    """

    def __init__(self, name: str, attempts: Sequence[tuple[str, str]], *, hint: str = "") -> None:
        self.name = name
        self.attempts = tuple(attempts)
        tried = "\n".join(f"  {source}: {reason}" for source, reason in self.attempts)
        super().__init__(f"no usable {name}; tried\n{tried}", hint=hint)


class ProcessDied(EngineError):
    """A process of the local cluster ended on its own; `settings` are the options with which it was started, if any."""

    def __init__(self, name: str, log: Path, tail: str, *, hint: str = "", settings: str = "") -> None:
        self.name = name
        indented = "\n".join(f"  | {line}" for line in tail.splitlines()) or "  | (nothing was logged)"
        when = f"ended when it was started with {settings}; {log} says" if settings else ""
        super().__init__(f"{name} {when or f'ended while it was needed; the end of {log}'}:\n{indented}", hint=hint)


class ClusterError(KnavError):
    """The API server refused a request or could not be reached; `status` is the HTTP status, 0 if none.

    `cause` is what refused it, without the request: the same for all objects that a dead webhook stands before.
    `given_up` when the request was sent again and again until there was no patience left; `perhaps_done` when an
    earlier attempt got no answer, so that the server may have done what it refused later.
    """

    exit_code = ExitCode.API_FAILED

    def __init__(self, message: str, *, status: int = 0, reason: str = "", hint: str = "", cause: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.cause = cause
        self.given_up = False
        self.perhaps_done = False

    def reworded(self, message: str, *, hint: str = "") -> Self:
        """An error of this kind with another message, for the many of which it is the first."""
        return type(self)(message, status=self.status, reason=self.reason, hint=hint or self.hint)


class Unreachable(ClusterError):
    """Nothing answers at the API server's address."""


class Unauthorized(ClusterError):
    """The API server does not accept the credentials (401)."""


class Forbidden(ClusterError):
    """The user may not do this (403); the message names verb and resource."""


class NotFound(ClusterError):
    """The object or the kind does not exist (404)."""


class NotServed(NotFound):
    """The cluster does not serve a kind; `served_as` has the API versions in which it does serve one of that name."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 404,
        reason: str = "",
        hint: str = "",
        cause: str = "",
        served_as: Sequence[str] = (),
    ) -> None:
        if served_as:
            message += f"; it serves {' and '.join(served_as)}"
            hint = "correct apiVersion"
        hint = hint or "install the component that brings it, or correct apiVersion"
        super().__init__(message, status=status, reason=reason, hint=hint, cause=cause)
        self.served_as = tuple(served_as)


class AlreadyExists(ClusterError):
    """An object of that name exists (409, reason AlreadyExists)."""


class Conflict(ClusterError):
    """The object changed meanwhile, or another field manager owns a field (409)."""


class Invalid(ClusterError):
    """The API server rejects the object (400, 422)."""


class Expired(ClusterError):
    """The resource version is too old (410)."""


class DeadlineExceeded(ClusterError):
    """Time ran out while waiting; the message says what was last seen."""


class InternalError(KnavError):
    """A fault of knavtool itself, as told to somebody who does not have the exception."""

    exit_code = ExitCode.INTERNAL


class OutputError(KnavError):
    """What was asked for could not be written."""

    exit_code = ExitCode.OUTPUT_FAILED


def primary_error(error: BaseException) -> BaseException:
    """The error to tell of a group that concurrent work left behind.

    A fault of knavtool itself comes before what users can mend, because nothing that was done beside it is certain.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner = [primary_error(one) for one in error.exceptions]
    faults = (one for one in inner if isinstance(one, Exception) and not isinstance(one, KnavError))
    known = (one for one in inner if isinstance(one, KnavError))
    return next(faults, None) or next(known, None) or inner[0]


def leaves(error: Exception) -> list[Exception]:
    """The errors of a group, however deep; an error that is none stands for itself."""
    if isinstance(error, ExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


def exit_code(error: BaseException) -> ExitCode:
    """What a command or a run that ends with an error returns."""
    primary = primary_error(error)
    return primary.exit_code if isinstance(primary, KnavError) else ExitCode.INTERNAL


def why_not(error: OSError, *, denied: str, elsewhere: str = "") -> str:
    """What to try after a file could not be written: `denied` if that is not allowed, otherwise by the real cause.

    `elsewhere` is for causes of which nothing more is known, for example a damaged disk.
    """
    if error.errno in DISK_FULL:
        return "free some space"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return denied
    if error.errno == errno.ENOENT:
        return "something removed the directory meanwhile; run the command again"
    return elsewhere
