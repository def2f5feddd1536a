"""Settings as the command line says them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import DocumentError, InvalidDocument, UsageError
from knavtool.settings.asked import Change, Field, read_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kueue.a.b=1", Field(target="kueue", path="a.b", value=1)),
        ("volcano/volcano-scheduler.a=x", Field(target="volcano/volcano-scheduler", path="a", value="x")),
        ("kueue.a=", Field(target="kueue", path="a", value="")),
        ("kueue.a=null", Field(target="kueue", path="a", value=None)),
        ("kueue.a=[b, c]", Field(target="kueue", path="a", value=["b", "c"])),
        ("kueue.a={b: {c: 1}}", Field(target="kueue", path="a", value={"b": {"c": 1}})),
        ("kueue.a=x=y", Field(target="kueue", path="a", value="x=y")),
        ("kueue.a=on", Field(target="kueue", path="a", value=True)),
        ("kueue.a='on'", Field(target="kueue", path="a", value="on")),
        ("kueue.a=5m", Field(target="kueue", path="a", value="5m")),
        ('kueue."a"[name="x"].b=1', Field(target="kueue", path="a[name=x].b", value=1)),
    ],
)
def test_a_field(text: str, expected: Field) -> None:
    assert read_options(fields=[text]).fields == (expected,)


def test_arguments_and_variables() -> None:
    asked = read_options(args=["a=--v=4", "a=--w-"], environment=["a=GOGC=10=20", "a=X-", "a=Y="], reset=["a,b", "c"])
    assert [(one.name, one.value) for one in asked.args] == [("v", "--v=4"), ("w", None)]
    assert [(one.name, one.value) for one in asked.environment] == [("GOGC", "10=20"), ("X", None), ("Y", "")]
    assert asked.args[0] == Change(target="a", name="v", value="--v=4")
    assert asked.reset == ("a", "b", "c")
    assert asked
    assert not read_options()


def test_a_file_is_merged_or_taken_whole(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("# mine\na: on\nport: ${port_x}\n")
    (merged,) = read_options(config=[f"kueue={file}"]).files
    assert (merged.target, merged.data) == ("kueue", {"a": True, "port": "${port_x}"})
    (whole,) = read_options(config=[f"kueue={file}"], replace=True).files
    assert (whole.text, whole.data) == (file.read_text(), None)
    file.write_text("key = [1, 2\n")
    (toml,) = read_options(config=[f"other={file}"], replace=True).files
    assert toml.text == "key = [1, 2\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (None, "no such file"),
        ("a: [1\n", r"c.yaml:2:1: not YAML"),
        ("- a\n", r"c.yaml:1:1: expected a map"),
        ("a: 1\n---\nb: 1\n", "there are 2 documents, expected one"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str | None, place: str) -> None:
    file = tmp_path / "c.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidDocument, match=place):
        read_options(config=[f"kueue={file}"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": ["kueue"]}, "--config kueue: expected NAME=FILE"),
        ({"config": ["=x"]}, "--config =x: expected NAME=FILE"),
        ({"replace": True}, "--replace is for files that --config names"),
        ({"fields": ["kueue"]}, "--set kueue: expected NAME.PATH=VALUE"),
        ({"fields": ["kueue.a"]}, "--set kueue.a: expected NAME.PATH=VALUE"),
        ({"fields": ["Kueue.a=1"]}, "--set Kueue.a=1: expected NAME.PATH=VALUE"),
        ({"fields": ["kueue.a..b=1"]}, "--set kueue.a..b=1: not a path at"),
        ({"fields": ["kueue.a=[1"]}, r"--set kueue.a=\[1: the value is not YAML"),
        ({"args": ["kueue=v=4"]}, "--args kueue=v=4: 'v=4' is no flag"),
        ({"args": ["--v=4"]}, "--args --v=4: expected NAME=--FLAG=VALUE"),
        ({"environment": ["kueue=1X=2"]}, "--env kueue=1X=2: expected NAME=VARIABLE=VALUE"),
        ({"environment": ["kueue=X"]}, "--env kueue=X: expected NAME=VARIABLE=VALUE"),
        ({"fields": ["a.b=1", 'a."b"=2']}, "--set a.b is given twice, with 1 and 2"),
        ({"args": ["a=--v=1", "a=-v=2"]}, "--args a --v is given twice"),
        ({"environment": ["a=X=1", "a=X-"]}, "--env a X is given twice"),
    ],
)
def test_what_cannot_be_read_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_options(**options)


def test_two_files_for_one_component(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("x: 1\n")
    with pytest.raises(DocumentError, match="--config kueue is given twice"):
        read_options(config=[f"kueue={tmp_path / 'a'}", f"kueue={tmp_path / 'b'}"])
