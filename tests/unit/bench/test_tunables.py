"""What bounds how fast contenders work: what all share, what only one has, what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
from jsonschema import Draft202012Validator

from knavtool import resources
from knavtool.bench import json_file, markdown_file
from knavtool.bench.directory import Directory
from knavtool.bench.judging import judge
from knavtool.bench.page.tables import tunables
from knavtool.bench.tunables import Row, rows, unknown
from support.benches import planned, progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.bench.result import Result

SCHEDULER = ("kube-scheduler", "clientQPS", "", "5000", "flag")
KUEUE = [
    SCHEDULER,
    ("kueue", "clientQPS", "", "300", "configuration"),
    ("kueue", "workers", "Job", "5", "configuration"),
    ("kueue", "logLevel", "", "info", "default"),
]
VOLCANO = [
    SCHEDULER,
    ("volcano", "clientQPS", "", "5000", "flag"),
    ("volcano", "workers", "Job", "3", "default"),
    ("volcano", "schedulePeriod", "", "200ms", "flag"),
    ("volcano", "logLevel", "", "info", "default"),
]


def judged(directory: Path, values: Mapping[str, list[tuple[str, str, str, str, str]]]) -> Result:
    """The result of a bench whose contenders have processes with these tunables."""
    bench = planned(directory / "bench", contenders=list(values), repetitions=1, measures=["makespan"])
    found = progress(bench, {name: {"makespan": [1.0]} for name in values})
    names = ("component", "tunable", "of", "value", "source")
    for slot in found.slots:
        told = tuple(dict(zip(names, row, strict=True)) for row in values[slot.contender])
        components = tuple({"component": one} for one in dict.fromkeys(row["component"] for row in told))
        found.attempts[slot] = [replace(found.attempts[slot][0], tunables=told, components=components)]
    return judge(bench, found, Directory(directory))


def texts(row: Row) -> dict[str, list[str]]:
    """The values by contender, those that differ with a star."""
    return {name: [f"{one}{' *' if one.differs else ''}" for one in values] for name, values in row.own.items()}


def test_values_to_which_another_contender_has_nothing_alike_differ(tmp_path: Path) -> None:
    qps, workers, period, level = rows(judged(tmp_path, {"Kueue": KUEUE, "Volcano": VOLCANO}))
    assert [str(one) for one in qps.shared] == ["kube-scheduler 5000"]
    assert texts(qps) == {"Kueue": ["kueue 300 *"], "Volcano": ["volcano 5000"]}
    assert texts(workers) == {"Kueue": ["kueue Job 5 *"], "Volcano": ["volcano Job 3 (default) *"]}
    assert texts(period) == {"Kueue": [], "Volcano": ["volcano 200ms *"]}
    assert texts(level) == {"Kueue": ["kueue info (default)"], "Volcano": ["volcano info (default)"]}
    assert [one.differs for one in (qps, workers, period, level)] == [True, True, True, False]


def test_one_process_of_two_contenders(tmp_path: Path) -> None:
    slow = (*SCHEDULER[:3], "50", "default")
    lacking = (*SCHEDULER[:3], "", "")
    (row,) = rows(judged(tmp_path, {"A": [SCHEDULER], "B": [slow], "C": [lacking]}))
    assert texts(row) == {
        "A": ["kube-scheduler 5000 *"],
        "B": ["kube-scheduler 50 (default) *"],
        "C": ["kube-scheduler unknown"],
    }


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    result = judged(tmp_path, {"A": [SCHEDULER], "elsewhere": []})
    contender = replace(result.contenders[0], components=({"component": "kube-scheduler"}, {"component": "mine"}))
    result = replace(result, contenders=(contender, result.contenders[1]))
    assert unknown(result) == ["mine of A", "elsewhere"]
    assert "Rate limits, workers and periods of mine of A, elsewhere: unknown." in markdown_file.document(result)
    page = tunables(result)
    assert "Unknown for mine of A, elsewhere." in page
    assert page.count('<td class="absent">unknown</td>') == 1


def test_markdown_has_what_differs(tmp_path: Path) -> None:
    document = markdown_file.document(judged(tmp_path, {"Kueue": KUEUE, "Volcano": VOLCANO}))
    assert (
        "### Rate limits, workers and periods that differ\n\n| limit | Kueue | Volcano |\n|---|---|---|\n" in document
    )
    assert "| client QPS | **kueue 300** | volcano 5000 |\n" in document
    assert "| schedule period |  | **volcano 200ms** |\n" in document
    assert "log level" not in document
    alike = markdown_file.document(judged(tmp_path, {"A": KUEUE, "B": KUEUE}))
    assert "Rate limits, workers and periods: no difference." in alike


def test_the_page_marks_what_differs(tmp_path: Path) -> None:
    page = tunables(judged(tmp_path, {"Kueue": KUEUE, "Volcano": VOLCANO}))
    assert '<td class="long"><div>kube-scheduler 5000</div></td>' in page
    assert '<td class="long differs"><div><mark>kueue 300</mark></div></td>' in page
    assert '<td class="long"><div>volcano 5000</div></td>' in page


def test_results_keep_them_and_older_ones_have_none(tmp_path: Path) -> None:
    result = judged(tmp_path, {"Kueue": KUEUE, "Volcano": VOLCANO})
    content = orjson.loads(json_file.text(result))
    Draft202012Validator(orjson.loads(resources.schema("bench-result").read_bytes())).validate(content)
    file = tmp_path / "result.json"
    file.write_bytes(orjson.dumps(content))
    assert json_file.load(file) == result
    for one in content["contenders"]:
        del one["tunables"]
    file.write_bytes(orjson.dumps(content))
    assert [one.tunables for one in json_file.load(file).contenders] == [(), ()]
