"""Answers that are errors: which error each becomes, and what it says."""

from __future__ import annotations

import orjson
import pytest

from knavtool import errors
from knavtool.kube.connection.api_errors import event_refusal, refusal
from support.api_server import status

KINDS = [
    (400, "BadRequest", errors.Invalid),
    (401, "Unauthorized", errors.Unauthorized),
    (403, "Forbidden", errors.Forbidden),
    (404, "NotFound", errors.NotFound),
    (409, "Conflict", errors.Conflict),
    (409, "AlreadyExists", errors.AlreadyExists),
    (410, "Gone", errors.Expired),
    (400, "Expired", errors.Expired),
    (422, "Invalid", errors.Invalid),
    (504, "Timeout", errors.DeadlineExceeded),
    (500, "InternalError", errors.ClusterError),
    (405, "MethodNotAllowed", errors.ClusterError),
]


@pytest.mark.parametrize(("code", "reason", "kind"), KINDS)
def test_status_and_reason_choose_the_error(code: int, reason: str, kind: type[errors.ClusterError]) -> None:
    error = refusal(code, orjson.dumps(status(code, reason, "because")), "get pods n/x", hint="try")
    assert type(error) is kind
    assert (error.message, error.status, error.reason, error.hint) == ("get pods n/x: because", code, reason, "try")
    assert error.exit_code is errors.ExitCode.API_FAILED


BODIES = [
    (b"", "HTTP 503"),
    (b"upstream timed out\n", "upstream timed out"),
    (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    (b'["a"]', "['a']"),
    (b'{"message": ""}', "HTTP 503"),
    (b"{}", "HTTP 503"),
]


@pytest.mark.parametrize(("body", "says"), BODIES)
def test_bodies_that_are_no_status(body: bytes, says: str) -> None:
    assert refusal(503, body, "list nodes").message == f"list nodes: {says}"


def test_a_long_answer_is_cut() -> None:
    assert len(refusal(500, b"x" * 100_000, "list nodes").message) < 2100


def test_an_error_in_a_watch() -> None:
    error = event_refusal(status(410, "Expired", "too old"), "watch pods")
    assert type(error) is errors.Expired
    assert error.message == "watch pods: too old"


@pytest.mark.parametrize("given", [{}, {"code": None}, {"code": ""}, {"message": ""}])
def test_an_error_in_a_watch_that_says_nothing(given: dict[str, object]) -> None:
    error = event_refusal(given, "watch pods")
    assert (type(error), error.status) == (errors.ClusterError, 0)
    assert error.message == "watch pods: refused without a reason"


def test_a_namespace_that_is_being_deleted() -> None:
    said = status(403, "Forbidden", "unable to create new content in namespace n because it is being terminated")
    said["details"] = {"causes": [{"reason": "NamespaceTerminating", "message": "namespace n is being terminated"}]}
    assert refusal(403, orjson.dumps(said), "create jobs.batch n/a").hint.startswith("wait until the namespace is gone")


@pytest.mark.parametrize("details", [None, [], {}, {"causes": None}, {"causes": ["x", {}]}])
def test_details_that_say_nothing(details: object) -> None:
    said = status(403, "Forbidden", "no") | {"details": details}
    assert refusal(403, orjson.dumps(said), "create jobs.batch n/a").hint == ""
