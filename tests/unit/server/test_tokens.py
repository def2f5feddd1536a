"""Tokens, and which addresses may do without one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from knavtool.cli.on_server import generated_token, token
from knavtool.errors import UsageError
from knavtool.listening import is_loopback, listener, url
from knavtool.server import tokens


def test_a_generated_token_is_for_its_owner_and_gone_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"
    with tokens.generated(file) as first:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert tokens.read(file) == first
    assert not file.exists()
    file.write_text("an old one that everybody could read")
    file.chmod(0o644)
    with tokens.generated(file) as second:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first != second


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "token").symlink_to("theirs")
    with tokens.generated(tmp_path / "token"):
        assert (tmp_path / "theirs").read_text() == "kept"


@pytest.mark.parametrize("content", ["", " \n", "two words", "größe", "a\x01b"])
def test_a_token_that_fits_no_header_is_refused_and_not_shown(content: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(UsageError, match="expected a token") as error:
        tokens.read(tmp_path / "token")
    assert not content.strip() or content not in error.value.message


def test_a_client_takes_the_token_that_it_is_given_before_others(tmp_path: Path) -> None:
    here = {"XDG_STATE_HOME": str(tmp_path / "state")}
    given = here | {"KNAVTOOL_TOKEN": "from-the-environment"}
    (tmp_path / "file").write_text("from-the-file\n")
    with tokens.generated(generated_token(8080, here)) as made:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert token(f"http://{host}:8080", None, here) == made
        assert token("http://127.0.0.1:8080", None, given) == "from-the-environment"
        assert token("http://127.0.0.1:8080", tmp_path / "file", given) == "from-the-file"
        for elsewhere in ("http://127.0.0.1:8081", "http://example.com:8080"):
            with pytest.raises(UsageError, match="no token for"):
                token(elsewhere, None, here)


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "ftp://x", "http://", ""])
def test_a_server_is_named_by_its_url(text: str) -> None:
    with pytest.raises(UsageError, match="expected a URL"):
        token(text, None, {})


@pytest.mark.parametrize(
    ("address", "loopback", "shown"),
    [("127.0.0.1:0", True, "http://127.0.0.1:"), ("localhost:0", True, "http://"), (":0", False, "http://")],
)
def test_addresses(address: str, loopback: bool, shown: str) -> None:
    with listener(address) as listening:
        assert is_loopback(listening) is loopback
        assert url(listening).startswith(shown)


@pytest.mark.parametrize("address", ["", "8080", "host", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"])
def test_an_address_needs_a_port(address: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        listener(address)


def test_an_address_that_is_taken_is_told() -> None:
    with listener("127.0.0.1:0") as listening, pytest.raises(UsageError, match="in use"):
        listener(url(listening).removeprefix("http://"))
