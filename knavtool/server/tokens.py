"""The token that a client must show: where it comes from and how it is compared."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def checked(token: str, source: str) -> str:
    """A token that fits into a header; raises UsageError that names its source and not the token."""
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{source}: expected a token of printable ASCII without blanks", hint="openssl rand -hex 32")
    return token


def read(file: Path) -> str:
    """The token in a file; raises UsageError."""
    try:
        return checked(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"cannot read the token in {file}: {reason}") from None


@contextmanager
def generated(file: Path) -> Iterator[str]:
    """A new token in a file that only its owner can read, until the block ends; raises UsageError."""
    token = secrets.token_urlsafe(32)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made anew, because the rights of a file that is there would stay as they are.
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(token + "\n")
    except OSError as error:
        raise UsageError(f"cannot write a token to {file}: {error.strerror}", hint="give one by --token-file") from None
    try:
        yield token
    finally:
        file.unlink(missing_ok=True)


def same(given: str, wanted: str) -> bool:
    """Whether a client's token is the right one; takes the same time for every wrong one."""
    return hmac.compare_digest(given.encode(), wanted.encode())
