"""Draw the picture of a run in the README from the report of a real one.

Usage: python docs/make_picture.py report/report.json docs/run.svg \\
    'knavtool run workflows/quick-start.yml --cleanup --report report'
"""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from knavtool.events import Result
from knavtool.report.live import show_closing
from knavtool.report.recorder import Note, Record, Recorder


def record(step: dict[str, Any]) -> Record:
    """The record that a step of a report was written from."""
    started = datetime.fromisoformat(step["started"]).timestamp()
    return Record(
        kind=step["kind"],
        name=step["name"],
        detail=step.get("detail", ""),
        started=started,
        ended=started + step["duration"],
        result=Result(step["result"]),
        message=step.get("message", ""),
        data=step.get("data", {}),
        children=[record(child) for child in step.get("steps", [])],
        notes=[Note(**note) for note in step.get("notes", [])],
    )


def main() -> None:
    """Draw what a terminal shows at the end of the run."""
    source, target, command = sys.argv[1:]
    recorder = Recorder()
    recorder.roots = [record(json.loads(Path(source).read_text())["run"])]
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {command}", style="bold"))
    show_closing(console, recorder.roots)
    if "--report " in command:
        directory = command.split("--report ")[1].split()[0]
        console.print(Text(f"reports: {directory}/{{report.json,junit.xml,summary.md,report.html,recording.jsonl.gz}}"))
    Path(target).write_text(console.export_svg(title="knavtool"), encoding="utf-8")


if __name__ == "__main__":
    main()
