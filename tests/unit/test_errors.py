"""Errors: each class owns its exit code, and its message tells what a user needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool import errors
from knavtool.errors import ExitCode


def subclasses(kind: type) -> list[type]:
    return [inner for child in kind.__subclasses__() for inner in (child, *subclasses(child))]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.DocumentError, ExitCode.BAD_INPUT),
        (errors.RenderError, ExitCode.RENDER_FAILED),
        (errors.EngineError, ExitCode.ENGINE_FAILED),
        (errors.ClusterError, ExitCode.API_FAILED),
    ],
)
def test_a_branch_of_the_tree_shares_its_exit_code(kind: type[errors.KnavError], code: ExitCode) -> None:
    assert kind.exit_code is code
    assert {child.exit_code for child in subclasses(kind)} <= {code}


def test_the_tree_is_drawn_in_the_module() -> None:
    own = {child.__name__ for child in subclasses(errors.KnavError) if child.__module__ == errors.__name__}
    assert own <= set(errors.__doc__.replace(",", " ").split())


def test_violations_are_sorted_told_once_and_placed() -> None:
    second = errors.Violation("b.yaml", 3, 5, "nodes[0].count", "must not be negative")
    first = errors.Violation("a.yaml", 0, 0, "", "is empty")
    error = errors.InvalidDocument([second, first, second])
    assert str(error) == "a.yaml: is empty\nb.yaml:3:5: nodes[0].count: must not be negative"


def test_a_missing_program_names_every_source() -> None:
    error = errors.BinaryMissing("etcd", [("PATH", "not there"), ("download", "no network")])
    assert str(error) == "no usable etcd; tried\n  PATH: not there\n  download: no network"


def test_a_dead_process_carries_the_end_of_its_log() -> None:
    assert str(errors.ProcessDied("kwok", Path("kwok.log"), "a\nb")) == (
        "kwok ended while it was needed; the end of kwok.log:\n  | a\n  | b"
    )
    assert str(errors.ProcessDied("kwok", Path("kwok.log"), "")).endswith("  | (nothing was logged)")


def test_the_error_to_blame_in_a_group() -> None:
    known = errors.Forbidden("may not list nodes", status=403)
    plain, other = ValueError("x"), KeyError("y")
    assert errors.primary_error(known) is known
    assert errors.primary_error(ExceptionGroup("", [ExceptionGroup("", [known]), errors.NotFound("z")])) is known
    # A fault of knavtool comes before what its user can mend.
    assert errors.primary_error(ExceptionGroup("", [known, ExceptionGroup("", [plain, known]), other])) is plain


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Forbidden("no", status=403), ExitCode.API_FAILED),
        (KeyError("metadata"), ExitCode.INTERNAL),
        (ExceptionGroup("", [errors.Forbidden("no", status=403), KeyError("metadata")]), ExitCode.INTERNAL),
        (errors.InternalError("told by a server"), ExitCode.INTERNAL),
        (errors.OutputError("a full disk"), ExitCode.OUTPUT_FAILED),
    ],
)
def test_every_error_has_one_exit_code(error: Exception, code: ExitCode) -> None:
    assert errors.exit_code(error) is code
