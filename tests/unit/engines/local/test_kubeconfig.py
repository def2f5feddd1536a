"""The cluster's context in the user's kubeconfig."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.engines.local.state import kubeconfig
from knavtool.errors import DocumentError, EngineError
from support import kubeconfigs

SERVER = "https://127.0.0.1:1"


def add(file: Path, context: str = "knavtool-a", server: str = SERVER) -> None:
    kubeconfig.add_context(file, context, server=server, pki=Path("/pki"))


def load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def names(file: Path) -> set[tuple[str, ...]]:
    """The names of clusters, users and contexts; one entry if they are the same."""
    content = load(file)
    return {tuple(entry["name"] for entry in content[key]) for key in ("clusters", "users", "contexts")}


def test_the_file_is_chosen_as_kubectl_does(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    both = {"KUBECONFIG": f"{first}:{second}", "HOME": "/home/me"}
    assert kubeconfig.chosen_file(Path("/given"), both) == Path("/given")
    assert kubeconfig.chosen_file(None, both) == second
    second.touch()
    assert kubeconfig.chosen_file(None, both) == second
    first.touch()
    assert kubeconfig.chosen_file(None, both) == first
    for empty in (
        {"HOME": "/home/me"},
        {"HOME": "/home/me", "KUBECONFIG": ""},
        {"HOME": "/home/me", "KUBECONFIG": ":"},
    ):
        assert kubeconfig.chosen_file(None, empty) == Path("/home/me/.kube/config")


def test_a_relative_file_is_told_apart_from_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert kubeconfig.chosen_file(Path("k"), {}) == tmp_path / "k"
    assert kubeconfig.chosen_file(None, {"KUBECONFIG": "k"}) == tmp_path / "k"


def test_a_new_file_is_private_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "new" / "directory" / "config"
    add(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = load(file)
    assert (content["apiVersion"], content["kind"], content["current-context"]) == ("v1", "Config", "knavtool-a")
    assert content["clusters"][0]["cluster"] == {"server": SERVER, "certificate-authority": "/pki/ca.crt"}
    assert content["users"][0]["user"] == {"client-certificate": "/pki/admin.crt", "client-key": "/pki/admin.key"}
    assert content["contexts"][0]["context"] == {"cluster": "knavtool-a", "user": "knavtool-a"}
    assert [path.name for path in file.parent.iterdir()] == ["config"]
    assert kubeconfig.has_context(file, "knavtool-a", SERVER)


def test_other_entries_and_unknown_keys_stay(tmp_path: Path) -> None:
    file = kubeconfigs.write(tmp_path / "k", "https://mine", context="mine", token="t")
    before = load(file) | {"preferences": {"colors": True}, "extensions": [{"name": "x", "extension": {"a": "on"}}]}
    file.write_text(yaml.safe_dump(before))
    assert kubeconfig.current_context(file) == "mine"
    add(file)
    add(file)
    assert names(file) == {("mine", "knavtool-a")}
    assert kubeconfig.remove_context(file, "knavtool-a", before="mine")
    assert load(file) == before
    assert not kubeconfig.remove_context(file, "knavtool-a")


def test_adding_again_brings_it_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "k"
    add(file)
    add(file, "knavtool-b")
    assert not kubeconfig.has_context(file, "knavtool-a", SERVER)  # it is not the current one
    add(file, server="https://127.0.0.1:2")
    assert kubeconfig.has_context(file, "knavtool-a", "https://127.0.0.1:2")
    assert not kubeconfig.has_context(file, "knavtool-a", SERVER)
    assert names(file) == {("knavtool-b", "knavtool-a")}


@pytest.mark.parametrize(
    ("current", "before", "after"),
    [
        ("knavtool-a", "knavtool-b", "knavtool-b"),
        ("knavtool-a", "", ""),
        ("knavtool-a", "removed-meanwhile", ""),
        ("knavtool-b", "mine", "knavtool-b"),
        ("mine", "knavtool-b", "mine"),
    ],
)
def test_what_is_current_afterwards(tmp_path: Path, current: str, before: str, after: str) -> None:
    file = kubeconfigs.write(tmp_path / "k", "https://mine", context="mine")
    add(file, "knavtool-b")
    add(file)
    file.write_text(yaml.safe_dump(load(file) | {"current-context": current}))
    assert kubeconfig.remove_context(file, "knavtool-a", before=before)
    assert kubeconfig.current_context(file) == after


def test_a_context_without_its_cluster_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "k"
    add(file)
    content = load(file)
    for key in ("clusters", "contexts"):
        file.write_text(yaml.safe_dump(content | {key: []}))
        assert not kubeconfig.has_context(file, "knavtool-a", SERVER)
    file.write_text(yaml.safe_dump(content | {"clusters": [{"name": "knavtool-a"}]}))
    assert not kubeconfig.has_context(file, "knavtool-a", SERVER)


@pytest.mark.parametrize(
    "text", ["", "---\n", "# nothing\n", "null\n", "{}\n", "clusters:\nusers: null\ncontexts: []\n"]
)
def test_an_empty_file_can_be_filled(tmp_path: Path, text: str) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    add(file)
    assert names(file) == {("knavtool-a",)}


@pytest.mark.parametrize(
    "text",
    [
        "a text",
        "[1]",
        "{",
        "users: {a: 1}",
        "users: [1]",
        "contexts: [{}]",
        "a: *b",
        "a: !!python/name:os.system ''",
        "\x07",
    ],
)
def test_what_is_no_kubeconfig_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    for work in (kubeconfig.read, add, lambda file: kubeconfig.remove_context(file, "knavtool-a")):
        with pytest.raises(DocumentError, match=str(file)) as raised:
            work(file)
        assert raised.value.hint == "nothing was changed"
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["k"]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="not a usable kubeconfig"):
        kubeconfig.read(file)
    with pytest.raises(DocumentError, match="not a usable kubeconfig"):
        kubeconfig.read(tmp_path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    link = tmp_path / "k"
    link.symlink_to(real)
    add(link)
    assert link.is_symlink()
    assert names(real) == {("knavtool-a",)}


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    file = tmp_path / "k"
    threads = [threading.Thread(target=add, args=(file, f"knavtool-{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (written,) = names(file)
    assert sorted(written) == [f"knavtool-{number}" for number in range(8)]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["k"]


def test_a_lock_that_nobody_releases_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "_LOCK_WAIT", 0.05)
    file = tmp_path / "k"
    lock = tmp_path / "k.lock"
    lock.touch()
    with pytest.raises(EngineError, match="another program is writing this kubeconfig") as raised:
        add(file)
    assert str(lock) in raised.value.hint
    assert not file.exists()
    lock.unlink()
    add(file)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot write") as raised:
        add(tmp_path / "file" / "k")
    assert "--kubeconfig" in raised.value.hint


@pytest.mark.parametrize(
    "form",
    [
        yaml.safe_dump,
        lambda content: json.dumps(content, indent="\t"),
        lambda content: "\ufeff# Copyright\n--- # made by a tool\n" + yaml.safe_dump(content).replace("\n", "\r\n"),
    ],
)
def test_what_else_is_in_the_file_stays_as_it_is(tmp_path: Path, form: Callable[[Any], str]) -> None:
    file = kubeconfigs.write(
        tmp_path / "config",
        SERVER,
        context="no",
        user_more={"auth-provider": {"name": "oidc", "config": {"expiry": "2026-01-02T03:04:05Z", "id": "017"}}},
    )
    before = load(file)
    file.write_bytes(form(before).replace("'2026-01-02T03:04:05Z'", "2026-01-02T03:04:05Z").encode())
    add(file)
    assert kubeconfig.remove_context(file, "knavtool-a", before="no")
    assert load(file) == before
