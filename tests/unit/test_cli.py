"""The way out of the process, and progress on stderr."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from knavtool import __version__
from knavtool.cli import app
from knavtool.cli.options import Globals, LogFormat
from knavtool.cli.progress import steps
from knavtool.errors import DocumentError, ExitCode, Forbidden
from knavtool.events import Event, Result
from knavtool.harness.limits import rate_limit
from knavtool.report.lines import Lines


def leave(monkeypatch: pytest.MonkeyPatch, *args: str, raising: BaseException | None = None) -> int:
    """The exit code of a command line; `raising` takes the place of the command's body."""
    if raising is not None:

        def fail(**_: object) -> None:
            raise raising

        monkeypatch.setattr(app, "cli", fail)
    monkeypatch.setattr(sys, "argv", ["knavtool", *args])
    with pytest.raises(SystemExit) as left:
        app.main()
    return int(left.value.code or 0)


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, "--version") == 0
    assert capsys.readouterr() == (f"knavtool {__version__}\n", "")


@pytest.mark.parametrize(
    "args", [["no-such-command"], ["nodes", "no-such-command"], ["--no-such-option"], ["--log-format", "xml"]]
)
def test_a_wrong_command_line_is_2(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, *args) == ExitCode.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert args[-1].removeprefix("--") in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DocumentError("bad file", hint="mend it"), ExitCode.BAD_INPUT, "error: bad file\ntry: mend it\n"),
        (Forbidden("may not list nodes", status=403), ExitCode.API_FAILED, "error: may not list nodes\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted\n"),
    ],
)
def test_an_error_is_one_message_and_its_exit_code(
    error: BaseException, code: ExitCode, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, raising=error) == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("metadata"),
        OSError(28, "No space left on device"),
        ExceptionGroup("", [Forbidden("no", status=403), KeyError("metadata")]),
        BaseExceptionGroup("", [Forbidden("no", status=403), KeyError("metadata")]),
    ],
)
def test_an_internal_error_is_told_as_one_with_a_file_for_its_traceback(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, raising=error) == ExitCode.INTERNAL
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    head, _, file = line.partition("; please report it with the traceback in ")
    assert head.startswith(("error: internal error: KeyError: 'metadata'", "error: internal error: OSError: "))
    assert (out, stat.S_IMODE(Path(file).stat().st_mode)) == ("", 0o600)
    text = Path(file).read_text()
    assert text.startswith(f"knavtool {__version__}, Python ")
    assert "Traceback (most recent call last)" in text
    assert "in fail" in text


def test_no_secret_gets_into_the_file_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----"
    error = ValueError(f"{{'Authorization': 'Bearer s3cret.t0ken'}} {key}")
    assert leave(monkeypatch, raising=error) == ExitCode.INTERNAL
    said = capsys.readouterr().err
    for text in (said, Path(said.split()[-1]).read_text()):
        assert "s3cret" not in text
        assert "c2VjcmV0" not in text
        assert "Bearer ***" in text


def test_without_a_place_for_the_file_the_traceback_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert leave(monkeypatch, raising=KeyError("metadata")) == ExitCode.INTERNAL
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_view_that_fails_is_told_once_and_the_command_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of a view")

    heard: list[Event] = []
    monkeypatch.setattr(Lines, "__call__", fail)
    with steps(Globals(), listen=[heard.append]) as made, made.step("task", "a"), made.step("task", "b"):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: progress could not be shown to its end: internal error: KeyError: ")
    # A report tells it too.
    assert [type(event).__name__ for event in heard] == [
        "StepStarted",
        "StepStarted",
        "StepEnded",
        "StepEnded",
        "Noted",
    ]


def test_progress_in_a_log_is_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with steps(Globals()) as made, made.step("nodes", "write", "3 nodes") as step:
        step.message = "3 created"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["ok", "write", "(3", "nodes)", "0ms", "3", "created"]


def test_progress_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with steps(Globals(log_format=LogFormat.JSON)) as made, made.step("run", "run"):
        pass
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["started", "ended"]


def test_listeners_hear_every_event() -> None:
    heard: list[Event] = []
    with steps(Globals(), listen=[heard.append]) as made, made.step("run", "run"):
        pass
    assert len(heard) == 2


def test_the_error_that_ends_the_command_is_not_told_in_full_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DocumentError), steps(Globals()) as made, made.step("task", "load"):
        raise DocumentError("first\nsecond")
    assert "second" not in capsys.readouterr().err
    with steps(Globals()) as made, made.step("task", "check") as step:
        step.result, step.message = Result.FAILED, "first\nsecond"
    assert "  second" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "live"), [("xterm-256color", True), ("dumb", False), ("", False)])
def test_only_a_capable_terminal_gets_a_live_view(term: str, live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", stream)
    with steps(Globals()) as made, made.step("nodes", "write"):
        pass
    assert ("\x1b[" in stream.getvalue()) is live


def test_no_color_leaves_colours_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**environment: str) -> str:
        stream = Terminal()
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm-256color")
            patch.delenv("NO_COLOR", raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stderr", stream)
            with steps(Globals()) as made, made.step("nodes", "write"):
                pass
        return stream.getvalue()

    assert "\x1b[32m" in said()
    assert "\x1b[32m" not in said(NO_COLOR="1")


@pytest.mark.parametrize(
    ("server", "qps", "limit"),
    [
        ("https://127.0.0.1:1", None, 500),
        ("https://there", None, 500),
        ("https://there", 7, 7),
        ("https://there", 0, 0),
    ],
)
def test_the_rate_of_requests_is_what_was_asked_for(server: str, qps: float | None, limit: float) -> None:
    assert rate_limit({}, qps, None)(server).qps == limit
