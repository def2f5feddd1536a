"""Make the pictures and tables of a page of docs/results from the directory of a bench.

Usage: python docs/make_results.py BENCH-DIR NAME

Writes docs/results/NAME.json, the result, and docs/results/NAME-*.svg: the repetitions of the first two measures as
points, and what was allocated and pending over time. Prints the Markdown that shows them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from knavtool.bench import json_file, markdown_file
from knavtool.bench.files import typical_runs
from knavtool.bench.page.curves import curves
from knavtool.bench.page.spread import spreads
from knavtool.report.html.drawing import draw

PLACE = Path(__file__).parent / "results"
OVER_TIME = ("allocated", "pending")


def main() -> None:
    """Write the files and print the document."""
    bench, name = Path(sys.argv[1]), sys.argv[2]
    result = json_file.load(bench)
    charts = []
    for number, scenario in enumerate(result.scenarios):
        prefix = f"s{number}-" if len(result.scenarios) > 1 else ""
        runs = typical_runs(result, scenario, bench)
        charts += list(spreads(result, scenario, prefix))[:2]
        charts += [one for one in curves(runs, prefix) if one.id.endswith(OVER_TIME) and one.spec is not None]
    PLACE.mkdir(exist_ok=True)
    (PLACE / f"{name}.json").write_bytes((bench / json_file.NAME).read_bytes())
    pictures = draw(charts)
    for chart in charts:
        (PLACE / f"{name}-{chart.id}.svg").write_text(pictures[chart.id], encoding="utf-8")
    sys.stdout.write(markdown_file.document(result) + "\n")
    sys.stdout.write("\n".join(f"![{chart.title}]({name}-{chart.id}.svg)" for chart in charts) + "\n")


if __name__ == "__main__":
    main()
