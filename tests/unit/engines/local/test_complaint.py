"""What a log says of why a process ended at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.engines.local.processes.complaint import blaming, complaint
from knavtool.engines.local.processes.processes import died
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.errors import ProcessDied

KLOG = 'E1129 07:48:21.367770   26963 run.go:72] "command failed" err="unknown field"'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"I1129 07:41:35 1 serving.go:411] error is no matter here\n{KLOG}\n", KLOG),
        (
            "Usage:\n  x [flags]\n      --failed   error of it\n\nError: unknown flag: --nope\n",
            "Error: unknown flag: --nope",
        ),
        ("flag provided but not defined: -nope\nUsage:\n  etcd [flags]\n", "flag provided but not defined: -nope"),
        (
            '{"level":"info","msg":"a"}\n{"level":"error","msg":"Unable","error":"x","stacktrace":"main"}\n{"level":5}\n',
            "Unable: x",
        ),
        ('{"time":"t","level":"ERROR","msg":"Init","err":"y"}\n{broken\n', "Init: y"),
        ("2026-11-29T07:41:50Z\terror\tsetup\tfailed\n", "2026-11-29T07:41:50Z\terror\tsetup\tfailed"),
        ("keeper: 2026 error\npanic: oh\n", "panic: oh"),
        ("".join(f"Error: {number}\n" for number in range(9)), "Error: 6\nError: 7\nError: 8"),
        ("just\nlast words\n", "just\nlast words"),
        ("Error: " + "x" * 900 + "\n", "Error: " + "x" * 493),
    ],
)
def test_the_lines_that_matter(tmp_path: Path, text: str, told: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert complaint(log, 0) == told


def test_only_what_is_new_counts(files: ClusterFiles) -> None:
    log = files.log("p")
    log.parent.mkdir(parents=True)
    log.write_text("Error: of yesterday\n")

    def end(settings: str) -> None:
        with blaming(files, "p", settings):
            log.write_text("Error: of yesterday\nError: of today\n")
            raise died(files, "p")

    with pytest.raises(ProcessDied) as caught:
        end("--set p.a=1")
    assert caught.value.message == f"p ended when it was started with --set p.a=1; {log} says:\n  | Error: of today"
    # Without settings nothing is blamed on them.
    with pytest.raises(ProcessDied, match="p ended while it was needed"):
        end("")
    assert complaint(files.log("nobody"), 0) == ""
