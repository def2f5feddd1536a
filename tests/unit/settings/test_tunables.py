"""What bounds how fast a process works: a flag before the configuration before the program's default."""

from __future__ import annotations

import pytest

from knavtool.settings.tunables import Tuned, read_tunables, text, tuned

QPS, JOB, POD, BACKOFF = read_tunables(
    {
        "clientQPS": {"flag": "qps", "path": "client.qps", "default": 20},
        "workers": {"Job": {"path": 'workers."Job.batch"', "default": 1}, "Pod": {"flag": "pods"}},
        "maxBackoff": {"path": "maxBackoffSeconds", "unit": "s", "default": "10s"},
    }
)


def test_a_flag_comes_before_the_configuration_and_that_before_the_default() -> None:
    documents = [{"other": 1}, {"client": {"qps": 300.0}}]
    assert tuned(QPS, {"qps": "5e3"}, documents) == Tuned(name="clientQPS", value="5000", source="flag")
    assert tuned(QPS, {"v": "1"}, documents) == Tuned(name="clientQPS", value="300", source="configuration")
    assert tuned(QPS, {}, []) == Tuned(name="clientQPS", value="20", source="default")


def test_a_log_level_may_be_a_verbosity() -> None:
    (level,) = read_tunables({"logLevel": {"flag": "v", "default": "info"}})
    assert [tuned(level, {"v": number}, []).value for number in ("0", "1", "4")] == ["info", "debug", "4"]


def test_what_is_not_known_is_not_guessed() -> None:
    assert tuned(POD, {}, []) == Tuned(name="workers", of="Pod")
    assert tuned(QPS, {}, None) == Tuned(name="clientQPS")
    assert tuned(QPS, {"qps": "1"}, None).value == "1"


def test_workers_are_told_by_what_they_work_on() -> None:
    found = tuned(JOB, {}, [{"workers": {"Job.batch": 5}}])
    assert found == Tuned(name="workers", of="Job", value="5", source="configuration")


def test_a_number_of_the_configuration_gets_its_unit() -> None:
    assert tuned(BACKOFF, {}, [{"maxBackoffSeconds": 3}]).value == "3s"
    assert tuned(BACKOFF, {}, [{}]).value == "10s"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5000, "5000"), (5000.0, "5000"), ("5000.0", "5000"), (0.5, "0.5"), ("INFO", "info"), ("200ms", "200ms")],
)
def test_equal_values_have_the_same_text(value: object, expected: str) -> None:
    assert text(value) == expected
