"""How a run reads: as lines, as JSON, as a live tree, and in its closing lines."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from knavtool.events import Noted, Result, StepEnded, StepId, StepProgressed, StepStarted
from knavtool.recording.pulse import Pulse
from knavtool.report import text
from knavtool.report.closing import closing
from knavtool.report.lines import JsonLines, Lines
from knavtool.report.live import LiveTree, Tree, print_closing
from knavtool.report.recorder import Recorder
from support.runs import EPOCH, MISMATCH, Clock, events_of_run, record_everything, record_run, stepping, tell


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0ms"),
        (-1, "0ms"),
        (0.0078, "8ms"),
        (0.0996, "0.1s"),
        (3.25, "3.2s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (125, "2m05s"),
        (3720, "1h02m"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected


def test_lines_of_a_run() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for event in events_of_run():
        lines(event)
    assert [
        re.sub(r" {2,}(?=\S)", "  ", line.rstrip()) if line.strip() else "" for line in stream.getvalue().splitlines()
    ] == [
        "run",
        "  first (first.yml)",
        "  ok  register (RegisterObj)  0.2s",
        "  job (SubmitObj)",
        "  a note",
        "  ok  job (SubmitObj)  2.0s",
        "  ok  first (first.yml)  2.2s",
        "  second (second.yml)",
        "  failed  check (CheckObj)  3.0s  Job default/job-1: 1 field differs ...",
        "  skipped  later (Sleep)  0ms  an earlier task failed",
        "  failed  second (second.yml)  3.0s",
        "  ok  cleanup  1.0s  2 objects removed",
        "failed  run  6.2s",
    ]


def test_lines_hide_the_inside_of_tasks_unless_asked() -> None:
    quiet, verbose = io.StringIO(), io.StringIO()
    for stream, loud in ((quiet, False), (verbose, True)):
        lines = Lines(stream, verbose=loud)
        for event in events_of_run():
            lines(event)
    assert "create (2 objects)" not in quiet.getvalue()
    assert "create (2 objects)" in verbose.getvalue()


def test_lines_repeat_a_headline_after_a_concurrent_step_came_between() -> None:
    stream, clock = io.StringIO(), Clock()
    steps = stepping(Lines(stream), clock)
    with steps.step("up", "up") as up, up.nested().step("wave", "a") as a, up.nested().step("wave", "b") as b:
        for parent, name in ((a, "a1"), (b, "b1"), (a, "a2")):
            with parent.nested().step("process", name):
                pass
    names = [line.removeprefix("    ok").split("0ms")[0].strip() for line in stream.getvalue().splitlines()]
    assert names[:7] == ["up", "a", "a1", "b", "b1", "a", "a2"]


def test_lines_name_what_is_waited_for() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream)
    with stepping(lines, clock).step("up", "up") as up, up.nested().step("build", "kube-apiserver") as build:
        build.progress(40, 100)
        lines.give_signs(clock.now + 14)
        assert stream.getvalue() == ""
        lines.give_signs(clock.now + 20)
        lines.give_signs(clock.now + 21)
        assert re.findall(r"\.\.\. .*", stream.getvalue()) == [
            "...       kube-apiserver                               20.0s  40/100  8.0/s"
        ]
        lines.give_signs(clock.now + 81)
        assert stream.getvalue().count("...  ") == 2


def test_json_lines_hold_every_event() -> None:
    stream = io.StringIO()
    told = JsonLines(stream, epoch=EPOCH)
    events = list(events_of_run())
    for event in events:
        told(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    for kind, name in ((StepStarted, "started"), (StepEnded, "ended"), (Noted, "noted")):
        assert sum(line["event"] == name for line in lines) == sum(isinstance(event, kind) for event in events)
    assert lines[0] | {"step": 0} == {
        "time": "2023-11-14T22:15:00.000Z",
        "event": "started",
        "step": 0,
        "parent": None,
        "kind": "run",
        "name": "run",
    }
    assert lines[-1]["duration"] == 6.25


def test_json_lines_thin_out_progress_but_keep_its_end() -> None:
    stream = io.StringIO()
    told = JsonLines(stream, epoch=EPOCH)
    for done in range(1, 10_001):
        told(StepProgressed(step=StepId(1), done=done, total=10_000))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) < 1000
    assert lines[-1]["done"] == 10_000


def drawn(
    recorder: Recorder,
    *,
    width: int = 80,
    height: int = 40,
    unicode: bool = True,
    whole: bool = True,
    pulse: Pulse | None = None,
) -> list[str]:
    tree = Tree(recorder, unicode=unicode, pulse=pulse, clock=lambda: 200.0)
    tree.whole = whole
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(tree, end="")
    return capture.get().splitlines()


def beating() -> Pulse:
    """The pulse of a run with one pending pod."""
    pulse = Pulse(Clock())
    pulse.take({"fact": "pod", "event": "created", "uid": "1"})
    pulse.sample()
    return pulse


@pytest.mark.parametrize(("height", "unicode"), [(40, True), (40, False), (14, True)])
def test_the_pulse_is_below_the_tree_while_a_workflow_runs(height: int, unicode: bool) -> None:
    recorder, clock, pulse = Recorder(), Clock(), beating()

    def last() -> str:
        lines = drawn(recorder, height=height, unicode=unicode, whole=False, pulse=pulse)
        assert len(lines) <= height - 2
        assert all(cell_len(line) <= 80 for line in lines)
        return " ".join(lines[-2].split())

    with stepping(recorder, clock).step("run", "run") as run:
        with run.nested().step("workflow", "first") as workflow:
            for number in range(40):
                with workflow.nested().step("task", f"task-{number}", "Sleep"):
                    pass
            assert last() == ("pending pods 1 █" if unicode else "pending pods 1")
        with run.nested().step("cleanup", "cleanup"):
            assert "pods" not in last()


def test_a_small_screen_has_no_room_for_the_pulse() -> None:
    recorder, clock = Recorder(), Clock()
    with stepping(recorder, clock).step("run", "run") as run, run.nested().step("workflow", "first"):
        assert len(drawn(recorder, height=13, whole=False, pulse=beating())) == 2


def test_tree_of_a_run() -> None:
    assert [" ".join(line.split()) for line in drawn(record_run())] == [
        "✗ run 6.2s",
        "✓ first first.yml 2.2s",
        "✓ register RegisterObj 0.2s",
        "✓ job SubmitObj 2.0s",
        "✗ second second.yml 3.0s",
        "✗ check CheckObj 3.0s Job default/job-1: 1 field differs ...",
        "- later Sleep 0ms an earlier task failed",
        "✓ cleanup 1.0s 2 objects removed",
    ]


def test_tree_shows_counts_phases_and_rate() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    with stepping(recorder, clock).step("task", "running", "CheckPod") as task:
        clock.now += 2
        task.progress(82, 288, "82 Running, 206 Pending")
        (record,) = recorder.roots
        assert text.progress(record, clock.now) == "82/288  82 Running, 206 Pending  41/s"
        assert text.progress(record, clock.now, room=30) == "82/288  82 Running, 2...  41/s"
        assert text.progress(record, clock.now, room=16) == "82/288  41/s"
        clock.now += 60
        assert text.progress(record, clock.now) == "82/288  82 Running, 206 Pending", "nothing happens any more"


def test_a_download_counts_megabytes() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    with stepping(recorder, clock).step("download", "etcd") as step:
        clock.now += 2
        step.progress(6_400_000, 30_000_000, unit="B")
        (record,) = recorder.roots
        assert text.progress(record, clock.now) == "6.4 of 30.0 MB  3.2 MB/s"


def test_tree_shows_descriptions_from_the_start_and_counts_rounds_that_are_over() -> None:
    recorder, clock = Recorder(), Clock()
    steps = stepping(recorder, clock)
    described = {"description": "What it is for"}
    with (
        steps.step("workflow", "w", data=described) as workflow,
        workflow.nested().step("block", "sizes", "Repeat") as block,
    ):
        for number in (1, 2):
            with block.nested().step("round", f"round {number}"):
                pass
        with block.nested().step("round", "round 3"):
            lines = [line.strip() for line in drawn(recorder)]
            low = drawn(recorder, height=4, whole=False)
    assert lines[1] == "What it is for"
    assert "round 3" in lines[3]
    assert lines[2].endswith("3 rounds: 2 ok")
    assert len(lines) == 4
    assert "What it is for" not in " ".join(low), "a low screen is for steps"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_tree_never_leaves_the_screen(width: int, unicode: bool) -> None:
    recorder, clock = Recorder(), Clock()
    steps = stepping(recorder, clock)
    with steps.step("up", "a name that is far too long for any terminal " * 3, "details " * 20) as up:
        up.note("a note that is far too long for any terminal either " * 5, warning=True)
        up.progress(7, 10, "")
        with up.nested().step("wide", "世界" * 60) as wide:
            wide.message = "said " * 50
        lines = drawn(recorder, width=width, unicode=unicode)
    assert len(lines) == 3
    assert all(cell_len(line) <= width - len("^C") for line in lines)
    if not unicode:
        lines[2] = ""
        "".join(lines).encode("ascii")


def test_columns_of_the_tree_never_move_back() -> None:
    recorder, clock = Recorder(), Clock()
    tree = Tree(recorder, clock=clock)
    console = Console(file=io.StringIO(), width=80, height=40, force_terminal=True, color_system=None)

    def columns() -> set[int]:
        with console.capture() as capture:
            console.print(tree, end="")
        return {line.index("0ms") for line in capture.get().splitlines()}

    steps = stepping(recorder, clock)
    with steps.step("up", "a step with a long name"):
        (before,) = columns()
    recorder.roots.clear()
    with steps.step("up", "short"):
        assert columns() == {before}


def test_tree_shows_open_steps_and_the_newest_when_the_screen_is_low() -> None:
    recorder, clock = Recorder(), Clock()
    steps = stepping(recorder, clock)
    with steps.step("run", "run") as run:
        for number in range(50):
            with run.nested().step("task", f"task-{number}"):
                pass
        with run.nested().step("task", "open"):
            low = drawn(recorder, height=12, whole=False)
    assert len(low) <= 12
    assert "more lines" in low[0]
    assert "run" in low[1]
    assert "task-49" in low[-2]
    assert "open" in low[-1]
    assert len(drawn(recorder, height=12)) == 52


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("leave", [None, RuntimeError, KeyboardInterrupt])
def test_live_tree_gives_the_terminal_back(leave: type[BaseException] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()

    def use() -> None:
        with (
            LiveTree(stream, verbose=False, stdout_is_terminal=False) as tree,
            stepping(tree, Clock()).step("up", "up"),
        ):
            if leave is not None:
                raise leave

    if leave is None:
        use()
    else:
        with pytest.raises(leave):
            use()
    said = stream.getvalue()
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor stays hidden"
    assert said.removesuffix("\x1b[?25h").endswith("\n")


def test_the_tree_of_a_run_makes_room_for_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for verbose in (False, True):
        stream = Terminal()
        with LiveTree(stream, verbose=verbose, stdout_is_terminal=False) as tree:
            tell(stepping(tree, clock := Clock()), clock)
        assert stream.getvalue().endswith("\x1b[2K" if not verbose else "\x1b[?25h")


def test_results_have_colours_in_the_closing_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    print_closing(stream, record_run(), verbose=False, error_message="")
    assert "\x1b[1;31mfailed\x1b[0m     check" in stream.getvalue()


def test_a_live_tree_without_events_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveTree(stream, verbose=False, stdout_is_terminal=False):
        pass
    assert stream.getvalue() == ""


def test_closing_lines_of_a_run() -> None:
    assert list(closing(record_run().roots)) == [
        "",
        "RESULT   TASK        TYPE         DURATION  OUTCOME",
        "ok       first       first.yml        2.2s",
        "ok         register  RegisterObj      0.2s",
        "ok         job       SubmitObj        2.0s",
        "failed   second      second.yml       3.0s",
        "failed     check     CheckObj         3.0s  Job default/job-1: 1 field differs ...",
        "skipped    later     Sleep               -  an earlier task failed",
        "ok       cleanup                      1.0s  2 objects removed",
        "",
        "failed: check (CheckObj)  second.yml",
        "  Job default/job-1: 1 field differs",
        "    status.succeeded: expected 1, is absent",
        "",
        "4 tasks: 2 ok, 1 failed, 1 skipped in 6.2s, cleanup ok",
    ]


def test_many_rounds_are_folded_and_those_that_failed_shown() -> None:
    lines = list(closing(record_everything().roots))
    assert "failed     sizes       Repeat          16.5s  20 rounds: 18 ok, 2 failed" in lines
    assert [line.split()[2] for line in lines if " round " in line and line.startswith("failed ")] == ["7", "13"]
    assert "ok             wait    Sleep            0.5s" in lines, "few rounds are shown"
    assert "failed: sizes / round 7 / check (CheckPod)  mixed.yml:27" in lines
    assert lines[-2:] == [
        "46 tasks: 42 ok, 3 failed, 1 skipped in 21.4s, block late failed, cleanup ok",
        "1234 requests to the API server (3 retries), 58/s of at most 500/s",
    ]


def test_many_tasks_that_were_skipped_are_two_lines() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("run", "run") as run, run.nested().step("workflow", "w") as workflow:
        for number in range(40):
            with workflow.nested().step("task", f"t{number}", "Sleep") as task:
                task.result, task.message = Result.SKIPPED, "an earlier task failed"
    lines = list(closing(recorder.roots))
    assert lines[2:4] == [
        "skipped  t0           Sleep         -  an earlier task failed",
        "skipped  and 39 more                -",
    ]
    assert lines[-1].startswith("40 tasks: 40 skipped in")


def test_a_thousand_failures_do_not_flood_the_terminal() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("run", "run") as run, run.nested().step("workflow", "w") as workflow:
        for number in range(1000):
            with workflow.nested().step("task", f"t{number}", "CheckObj") as task:
                task.result, task.message = Result.FAILED, MISMATCH
    lines = list(closing(recorder.roots))
    assert sum(line.startswith("failed: ") for line in lines) == 20
    assert "and 980 more failures, which the reports hold" in lines


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_cut_table_fits_and_everything_that_failed_is_told_in_full(width: int) -> None:
    lines = list(closing(record_everything().roots, width=width))
    table = lines[1 : lines.index("", 1)]
    assert max(map(len, table)) <= width
    assert "  not done after 30 s" in lines


def test_long_lines_of_a_failure_are_wrapped_between_words_and_indented() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("run", "run") as run:
        run.result, run.message = Result.FAILED, "1 of 2 pods are Running\n  default/job1-0: " + "0/36 nodes fit, " * 4
    lines = list(closing(recorder.roots, width=50))
    assert lines[lines.index("failed: run") + 1 :][:3] == [
        "  1 of 2 pods are Running",
        "    default/job1-0: 0/36 nodes fit, 0/36 nodes",
        "      fit, 0/36 nodes fit, 0/36 nodes fit,",
    ]


@pytest.mark.parametrize(("kind", "verbose", "repeated"), [("run", False, 2), ("run", True, 0), ("cluster", False, 0)])
def test_warnings_are_told_again_if_they_vanish_with_the_tree(
    kind: str, verbose: bool, repeated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    recorder, stream = Recorder(), Terminal()
    recorder(Noted(message="an unknown field", warning=True))
    with stepping(recorder, Clock()).step(kind, "it") as step:
        step.note("left behind: 2 Jobs", warning=True)
        step.note("only told while it went on")
    print_closing(stream, recorder, verbose=verbose, error_message="")
    assert stream.getvalue().count("warning: ") == repeated
    assert "only told" not in stream.getvalue()


def test_closing_lines_do_not_repeat_the_error_that_ends_the_command() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("up", "up") as step:
        step.result, step.message = Result.FAILED, "etcd ended\n| panic"
    assert list(closing(recorder.roots, error_message="etcd ended\n| panic")) == []
    assert list(closing(recorder.roots)) == ["", "failed: up", "  etcd ended", "  | panic"]


def test_only_a_run_has_a_table() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("nodes", "write"):
        pass
    assert list(closing(recorder.roots)) == []
