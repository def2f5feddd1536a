"""Reading YAML with positions, reading and writing machine-made YAML."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.documents.places import path_text
from knavtool.documents.yaml import dump, load, load_rendered, load_text
from knavtool.errors import ExitCode, InvalidDocument


def fault(text: str) -> str:
    """Everything that is wrong with a text."""
    with pytest.raises(InvalidDocument) as caught:
        load_text(text, "f.yaml")
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return caught.value.message


TEXT = """\
# comment
nodes:
- type: a
  labels:
    "x/y": 1
    plain: two
- {type: b, count: 3}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1)),
        (("nodes",), (2, 1)),
        (("nodes", 0), (3, 3)),
        (("nodes", 0, "type"), (3, 3)),
        (("nodes", 0, "labels", "x/y"), (5, 5)),
        (("nodes", 1), (7, 3)),
        (("nodes", 1, "count"), (7, 13)),
        # What is not there stands where it belongs.
        (("nodes", 0, "count"), (3, 3)),
        (("nodes", 0, "labels", "z", "deeper"), (4, 3)),
        (("nodes", 7, "type"), (2, 1)),
        (("other",), (2, 1)),
    ],
)
def test_positions(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    document = load_text(TEXT, "f.yaml")
    assert document.position(path) == place
    assert document.where(path) == f"f.yaml:{place[0]}:{place[1]}"


def test_data() -> None:
    labels = {"x/y": 1, "plain": "two"}
    assert load_text(TEXT, "f").data == {"nodes": [{"type": "a", "labels": labels}, {"type": "b", "count": 3}]}


def test_paths_are_written_as_a_reader_would() -> None:
    assert path_text(("nodes", 0, "labels", "a/b", "c-d_e")) == 'nodes[0].labels["a/b"].c-d_e'
    assert path_text((0, "x")) == "[0].x"
    assert path_text(()) == ""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("=", "="),
        ("12", 12),
        ("-12", -12),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("1e3", 1000.0),
        ("1.0", 1.0),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!bool yes", True),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_scalars(written: str, value: Any) -> None:
    read = load_text(f"a: {written}", "f").data["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("# only a comment\n", "f.yaml:1:1: the file is empty"),
        ("a: 1\na: 2\n", "f.yaml:2:1: a: the key is given twice; first in line 1"),
        ("x:\n  b: 1\n  'b': 2\n", "f.yaml:3:3: x.b: the key is given twice; first in line 2"),
        ("1: a\n'1': b\n", "f.yaml:2:1: 1: the key is given twice; first in line 1"),
        ("a: [1, 2\nb: 3\n", "f.yaml:2:2: not YAML: while parsing a flow sequence"),
        ("a: 1\n  b: 2\n", "f.yaml:2:4: not YAML: mapping values are not allowed here"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: not YAML: while scanning for the next token"),
        ("a: b: c\n", "f.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a: *nowhere\n", "f.yaml:1:4: not YAML: found undefined alias"),
        ("a: 'open\n", "f.yaml:2:1: not YAML: while scanning a quoted scalar"),
        ("a: 1\nb: x\x07\n", "f.yaml:2:5: not YAML: the character U+0007 is not allowed"),
        ("a: &x [*x]\n", "f.yaml:1:4: a[0]: the alias stands for something that contains it"),
        ("a: &x {b: *x}\n", "the alias stands for something that contains it"),
        ("{a: 1}: b\n", "f.yaml:1:1: a key must be plain text, not a list or a map"),
        ("a: !!int abc\n", "f.yaml:1:4: a: 'abc' is no number that can be used here"),
        ("a: .inf\n", "f.yaml:1:4: a: '.inf' is no number that can be used here"),
        (f"a: {'9' * 5000}\n", "is no number that can be used here"),
        ("a: !Ref b\n", "f.yaml:1:4: a: the tag !Ref is not known here"),
        ("a: !!binary aGk=\n", "binary is not known here"),
        ("a: {<<: 3}\n", "f.yaml:1:9: a: only maps can be merged with <<"),
        ("[" * 600, "f.yaml:1:101: nested more than 100 levels deep"),
        ("{a: " * 600, "f.yaml:1:401: nested more than 100 levels deep"),
        ("- " * 600, "f.yaml:1:1: nested too deeply"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    assert message in fault(text)


def test_all_faults_at_once() -> None:
    assert len(fault("a: 1\na: 2\nb: !Ref x\n").splitlines()) == 2


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert "the aliases of this file stand for too much data" in fault("\n".join(lines))


def test_aliases_and_merges() -> None:
    document = load_text("base: &b {x: 1, y: 2}\ncopy: *b\nmerged: {<<: *b, y: 3}\nboth: {<<: [{x: 0}, *b]}\n", "f")
    assert document.data["copy"] == {"x": 1, "y": 2}
    assert document.data["merged"] == {"x": 1, "y": 3}
    assert document.data["both"] == {"x": 0, "y": 2}
    assert document.position(("merged", "y")) == (3, 18)
    assert document.position(("merged", "x")) == (3, 1), "what is inherited stands where it is merged"


def test_only_the_first_document_is_read() -> None:
    assert load_text("a: 1\n---\nb: {\n", "f").data == {"a": 1}


def test_files_from_windows(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: two\r\n")
    document = load(file)
    assert document.data == {"a": 1, "b": "two"}
    assert document.position(("b",)) == (2, 1)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(InvalidDocument) as caught:
            load(path)
        return caught.value.message.removeprefix(str(path))

    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: \xe4\n")
    assert said(tmp_path / "missing.yaml") == ": no such file"
    assert said(tmp_path) == ": is a directory, expected a YAML file"
    assert said(latin) == ": not UTF-8 text (byte 3)"
    assert said(latin / "below.yaml") == ": cannot be read: Not a directory"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", True),
        ("No", False),
        ("y", True),
        ("2024-01-31", "2024-01-31"),
        ("12:30", "12:30"),
        ("=", "="),
        ("0o17", 15),
        ("017", 15),
        ("08", 8),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.5e3", 1500),
        ("3.0", 3),
        ("2.5", 2.5),
        ("'on'", "on"),
        ("99999999999999999999", 1e20),
        ("v1", "v1"),
    ],
)
def test_rendered_scalars_are_read_as_kubernetes_reads_them(written: str, value: Any) -> None:
    (document,) = load_rendered(f"a: {written}")
    assert document["a"] == value
    assert type(document["a"]) is type(value)


def test_rendered_documents() -> None:
    text = "---\n# nothing\n---\na: 1\n---\n---\n8: {true: x}\n"
    assert load_rendered(text) == [{"a": 1}, {"8": {"true": "x"}}]
    for bad in ("a: [", "a: !!int x", "a: !Ref x", "[" * 3000):
        with pytest.raises(yaml.YAMLError):
            load_rendered(bad)


TRICKY = [
    *(
        "on",
        "yes",
        "y",
        "N",
        "true",
        "null",
        "~",
        "",
        "=",
        "<<",
        "-",
        "- a",
        "a: b",
        "#x",
        "*x",
        "&x",
        "!x",
        "%x",
        "@x",
    ),
    *("8", "08", "0o17", "0x1F", "1e3", "123e4567", "1.5e3", "1_000", "1:30", "2024-01-31", ".5", "5.", ".inf", "+1"),
    *("two\nlines", "end\n", "\n", " x", "x ", "tab\t", "ü", "\u2028", "'", '"', "a'b\"c", "{a}", "[a]", "---", "..."),
]


@pytest.mark.parametrize("text", TRICKY)
def test_text_stays_text_when_it_is_written(text: str) -> None:
    written = dump([{"value": text, text: "key"}])
    assert load_rendered(written) == [{"value": text, text: "key"}]
    assert yaml.safe_load(written) == {"value": text, text: "key"}, "YAML 1.1"
    assert load_text(written, "f").data == {"value": text, text: "key"}, "YAML 1.2"


def test_any_data_survives_being_written() -> None:
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits + " \n:#-'\"{}[],&*!|>%@`äß"

    def anything(depth: int) -> Any:
        match chance.randrange(8 if depth else 6):
            case 0:
                return chance.randrange(-(10**6), 10**6)
            case 1:
                return chance.random() < 0.5
            case 2:
                return None
            case 3:
                return round(chance.uniform(-5, 5), 3) + 0.0001
            case 6:
                return [anything(depth - 1) for _ in range(chance.randrange(4))]
            case 7:
                return {name(): anything(depth - 1) for _ in range(chance.randrange(4))}
            case _:
                return name()

    def name() -> str:
        return "".join(chance.choices(letters, k=chance.randrange(1, 12)))

    for _ in range(300):
        data = {"data": anything(3)}
        assert load_rendered(dump([data])) == [data]


def test_writing_is_deterministic_and_readable() -> None:
    shared = {"a": "8"}
    text = dump([{"one": shared, "two": shared, "script": "line 1\nline 2\n"}, {"kind": "Node"}])
    assert text == ("---\none:\n  a: '8'\ntwo:\n  a: '8'\nscript: |\n  line 1\n  line 2\n---\nkind: Node\n")


@pytest.mark.parametrize(
    "text",
    [
        "# Copyright of somebody\n---\na: 1\n",
        "--- # made by a tool\na: 1\n",
        "---\n# nothing\n---\n---\na: 1\n---\nb: 2\n",
        "\ufeff# Copyright\r\n--- # made by a tool\r\na: 1\r\n",
        '{\n\t"a": 1\n}\n',
    ],
)
def test_what_stands_around_a_document_does_not_matter(tmp_path: Path, text: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(text.encode())
    assert load(file).data == load_text(text, "f").data == {"a": 1}


@pytest.mark.parametrize("text", ["---\n# nothing\n---\n", "---\n---\n", "\ufeff"])
def test_a_file_of_empty_documents(text: str) -> None:
    assert fault(text) == "f.yaml:1:1: the file is empty"


def test_a_value_may_be_null() -> None:
    assert load_text("null", "f").data is None
    assert load_text("~", "f").data is None
