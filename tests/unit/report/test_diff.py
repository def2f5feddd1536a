"""`knavtool diff`, with recordings of runs that did not take place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from knavtool.measure.names import all_names
from support.cli import run_cli
from support.simulated import run_of, write

NAME = "recording.jsonl.gz"
_HEADER = "MEASURE"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the runs `a` and `b`, the second with more nodes, and reports of both."""
    directory = tmp_path_factory.mktemp("runs")
    for name, nodes in (("a", 8), ("b", 16)):
        (directory / name).mkdir()
        write(directory / name / NAME, run_of(1, pods=150, nodes=nodes))
        run_cli("report", directory / name, "--format", "json")
    return directory


def rows(text: str) -> list[str]:
    """The lines of the table."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(_HEADER))
    return lines[first + 1 : lines.index("", first)]


def test_the_table_has_what_moved(runs: Path) -> None:
    text = run_cli("diff", "a", "b", cwd=runs).stdout
    lines = text.splitlines()
    assert lines[0].startswith("A  a: simulated, 2026-01-01 00:00:00 UTC, ")
    assert lines[1].startswith("B  b: simulated, 2026-01-01 00:00:00 UTC, ")
    assert any(line.startswith("warning: different numbers of nodes: 8 in A, 16 in B") for line in lines)
    assert any(line.startswith("One run against one: this says what differed") for line in lines)
    found = {line.split()[0]: line for line in rows(text)}
    assert found["makespan"].split()[-1] == "better"
    assert found["gpu.capacity"].split()[-1] == "moved"
    assert "pods.count" not in found
    assert "gang.admission.p50" not in found
    before, unit, after, unit_after, change, unit_change = found["makespan"].split()[1:7]
    assert (unit, unit_after, unit_change) == ("s", "s", "s")
    assert float(after) - float(before) == pytest.approx(float(change), abs=0.2)


def test_columns_are_aligned(runs: Path) -> None:
    text = run_cli("diff", "a", "b", "--measure", "gang.wait", "--measure", "makespan", cwd=runs).stdout
    found = rows(text)
    assert len(found) == 8
    assert len({re.search(r" m?s\b", line).start() for line in found}) == 1  # type: ignore[union-attr]
    assert len({max(line.rfind(word) for word in ("better", "worse", "same", "unknown")) for line in found}) == 1


def test_all_shows_every_measure_with_its_reason(runs: Path) -> None:
    found = {line.split()[0]: line for line in rows(run_cli("diff", "a", "b", "--all", cwd=runs).stdout)}
    assert list(found) == all_names()
    assert found["pods.count"].split()[-1] == "same"
    assert "unknown: A: of none of " in found["gang.admission.p50"]


def test_a_run_beside_itself_did_not_move(runs: Path) -> None:
    text = run_cli("diff", runs / "a", runs / "a" / NAME).stdout
    assert "0 measures moved; " in text
    assert _HEADER not in text
    assert "warning:" not in text


def test_json_has_every_measure(runs: Path) -> None:
    found = json.loads(run_cli("diff", "a", "b", "--format", "json", "--threshold", "makespan<=+0s", cwd=runs).stdout)
    one, other = (json.loads((runs / name / "measures.json").read_text())["measures"] for name in "ab")
    assert list(found["measures"]) == all_names()
    for name, change in found["measures"].items():
        assert (change["before"], change["after"]) == (one[name]["value"], other[name]["value"])
        assert change["n"] == {"before": one[name]["n"], "after": other[name]["n"]}
        assert change["result"] in ("better", "worse", "moved", "same", "unknown")
    assert found["measures"]["makespan"]["good"] == "lower"
    assert 0 < found["distances"]["pod.wait"]["value"] <= 1
    assert [row["passed"] for row in found["thresholds"]] == [True]
    assert (found["a"]["path"], found["b"]["about"]["name"]) == ("a", "simulated")


def test_markdown(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "diff.md"
    run_cli("diff", "a", "b", "--format", "md", "--output", path, "--threshold", "makespan<=+10%", cwd=runs)
    text = path.read_text()
    assert text.startswith("## What moved from A to B\n")
    assert "| makespan | " in text
    assert "✅ makespan &lt;= +10%: " in text
    assert "&#35;" not in text


def test_thresholds_decide_about_the_exit_code(runs: Path) -> None:
    met = run_cli("diff", "a", "b", "--threshold", "makespan<=+10%", "--threshold", "pods.bound>=0", cwd=runs)
    assert "ok: makespan <= +10%: makespan is " in met.stderr
    missed = run_cli(
        "diff", "b", "a", "--threshold", "makespan<=+10%", "--threshold", "makespan<=+1s", "--threshold",
        "gang.admission.p95<=+10%", "--threshold", "pods.bound>=0", cwd=runs, check=1,
    )  # fmt: skip
    failed = [line for line in missed.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert "expected <= A +10%; see 'Measures' in the reports" in failed[0]
    assert "expected <= A +1s" in failed[1]
    assert "gang.admission.p95 is unknown in A: of none of" in failed[2]
    assert _HEADER in missed.stdout


def test_a_report_without_tables_can_be_compared(runs: Path, tmp_path: Path) -> None:
    document = json.loads((runs / "a" / "measures.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({"format": 1, "measures": document["measures"]}))
    text = run_cli("diff", tmp_path, runs / "b").stdout
    assert f"A  {tmp_path / 'report.json'}\n" in text
    assert "report.json does not say by which clock its moments are" in text
    assert {line.split()[0] for line in rows(text)} >= {"makespan", "gang.wait.p95"}
    whole = run_cli("diff", runs / "a" / "measures.json", runs / "b" / "measures.json").stdout
    direct = run_cli("diff", runs / "a", runs / "b").stdout
    assert rows(whole) == rows(direct)
    missed = run_cli("diff", tmp_path, runs / "b", "--threshold", "makespan<=+10%", check=1)
    assert "does not say whether A was saturated; --allow-saturated accepts it" in missed.stderr
    run_cli("diff", tmp_path, runs / "b", "--threshold", "makespan<=+10%", "--allow-saturated")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON: "),
        ("[]", "has no measures"),
        ("{}", "has no measures"),
        ('{"measures": {}}', "has no measure that this knavtool knows"),
        ('{"measures": {"makespan": 3}}', "its measures cannot be read"),
        ('{"measures": {"makespan": {"value": 3, "unit": "h", "n": 1}}}', "makespan is in h, not in s"),
        ('{"measures": {"makespan": {"value": "x", "unit": "s", "n": 1}}}', "its measures cannot be read"),
    ],
)
def test_what_is_no_report_is_refused(runs: Path, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    refused = run_cli("diff", runs / "a", path, check=2)
    assert f"error: {path}: " in refused.stderr
    assert message in refused.stderr
    assert refused.stdout == ""


def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    for option, message in (("--threshold", "no difference from A"), ("--measure", "no measure of that name")):
        value = "makespan<=5s" if option == "--threshold" else "gang.wate"
        refused = run_cli("diff", tmp_path, tmp_path, option, value, check=2)
        assert message in refused.stderr, option
    missing = run_cli("diff", tmp_path / "none", tmp_path, check=2)
    assert f"{tmp_path / 'none'} does not exist" in missing.stderr
    empty = run_cli("diff", tmp_path, tmp_path, check=2)
    assert f"{tmp_path / NAME} does not exist" in empty.stderr


def test_what_cannot_be_written_is_told(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run_cli("diff", "a", "b", "--output", tmp_path / "file" / "x.txt", cwd=runs, check=74)
    assert "cannot write the report" in refused.stderr
