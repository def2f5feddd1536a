"""What requests and answers look like: the source of the OpenAPI document."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from knavtool.documents.duration import parse_duration
from knavtool.errors import UsageError
from knavtool.report.facts import Facts

_LONGEST_PART = 255  # what file systems take
_LONGEST_NAME = 1024


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


def _file_name(name: str) -> str:
    parts = name.split("/")
    if len(name.encode()) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise ValueError("the name is too long for a file")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise ValueError("expected a relative path without . and .. like templates/job.yml")
    return name


def _duration(text: str) -> str:
    try:
        if parse_duration(text) <= 0:
            raise ValueError("must be longer than zero")
    except UsageError as error:
        raise ValueError(error.message) from None
    return text


FileName = Annotated[str, AfterValidator(_file_name), Field(min_length=1, max_length=_LONGEST_NAME)]


class Wait(StrEnum):
    """What to do if the cluster is busy: wait in the queue, or refuse with 409."""

    QUEUE = "queue"
    REFUSE = "refuse"


class Options(_Model):
    """How a run is executed."""

    cleanup: bool = Field(default=False, description="Undo all the run made or changed when it ends, however it ends.")
    cleanup_timeout: Annotated[str, AfterValidator(_duration)] = Field(
        default="5m", description="How long the cleanup may take, as Go writes durations."
    )
    qps: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="At most this many requests per second, 0: no limit; by default 0 on a local cluster, else 500.",
    )
    burst: int | None = Field(default=None, ge=1, description="How many requests may go out at once.")


COMPAT = "Run what Knavigator would run: what it takes without a word is a warning."


class PlainOptions(Options):
    """Options of a request whose body is a workflow."""

    compat: bool = Field(default=False, description=COMPAT)


class QueueOptions(PlainOptions):
    """Those, where a client need not wait."""

    wait: Wait = Field(default=Wait.QUEUE, description="What to do if the cluster is busy.")


WORKFLOW_EXAMPLE = "name: nap\ntasks:\n- {id: nap, type: Sleep, params: {timeout: 1s}}\n"


class Submission(_Model):
    """Workflow files and everything they need."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"files": {"nap.yml": WORKFLOW_EXAMPLE}, "workflows": ["nap.yml"]}]}
    )

    files: dict[FileName, str] = Field(
        min_length=1,
        max_length=1000,
        description="The text of each file by its relative path: workflows and the templates they name.",
    )
    workflows: list[FileName] = Field(
        min_length=1, max_length=100, description="Which of the files are workflows, in the order in which they run."
    )
    working_directory: FileName | None = Field(
        default=None,
        description="The directory among the files in which templates are looked for first; by default the top.",
    )
    variables: dict[str, JsonValue] = Field(default={}, description="Values of the workflows' variables.")
    compat: bool = Field(default=False, description=COMPAT)
    options: Options = Options()
    wait: Wait = Wait.QUEUE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in self.workflows:
            if name not in self.files:
                raise ValueError(f"the workflow {name!r} is not among the files")
        for name in self.files:
            if above := next((str(path) for path in PurePosixPath(name).parents if str(path) in self.files), None):
                raise ValueError(f"{above!r} cannot be a file and the directory of {name!r}")
        return self


class State(StrEnum):
    """Where a run is; the last four are for ever."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in (State.PASSED, State.FAILED, State.ERROR, State.CANCELLED)


class Counts(_Model):
    """How many of the tasks that were reached so far are where."""

    ok: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    running: int = 0


class Fault(_Model):
    """Why a run could not go on; a failed check is none."""

    message: str
    hint: str = ""


class RunStatus(_Model):
    """The state of a run."""

    id: str
    name: str = Field(description="The names of its workflows.")
    state: State
    position: int | None = Field(default=None, description="How many runs come first, while it waits.")
    created: float = Field(description="Seconds since 1970.")
    started: float | None = None
    ended: float | None = None
    epoch: float = Field(description="What to add to the times of events to get seconds since 1970.")
    counts: Counts = Counts()
    facts: Facts = Field(description="Where the run takes place, and how busy the server was with it.")
    exit_code: int | None = Field(
        default=None, description="What `knavtool run` returns for this run, once it has ended."
    )
    error: Fault | None = None


class Place(_Model):
    """One thing that is wrong, and where; line and column count from 1, 0 means unknown."""

    file: str
    line: int
    column: int
    path: str
    message: str


class Problem(_Model):
    """Why a request was refused (RFC 9457)."""

    title: str
    status: int
    detail: str
    hint: str = ""
    violations: list[Place] = []


class Health(_Model):
    """That the server answers."""

    status: str = "ok"
