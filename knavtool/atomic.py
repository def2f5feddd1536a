"""Files that appear whole or not at all, however many threads, tasks and processes write them at once."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE = 0o600
FOR_PEOPLE = 0o666
"""What a person asked for: the umask says who else may read it, as for any file that a program writes."""

_SUFFIX = ".new"


def atomic_write(path: Path, content: str | bytes, *, mode: int = PRIVATE) -> None:
    """Write a file with this mode (less the umask); a reader sees the old content or all of the new.

    Of several writers the last one wins, and nobody sees a part. Text is written as UTF-8. Raises OSError, which
    names `path`; then the file is as it was.
    """
    with replacing(path, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path, *, mode: int = PRIVATE) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` if the block succeeds, and vanishes if not.

    A link stays and leads to the new file. A device or a pipe is not replaced but written to.
    """
    if _is_no_file(path):
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    new = beside(target)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            yield file
        new.replace(target)
    except OSError as error:
        # It names the file that was asked for, not the one that would have taken its place.
        if error.filename in (None, str(new)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):
            new.unlink()


def beside(path: Path) -> Path:
    """A name in the same directory that nobody else has, for what is to take the place of `path`.

    A rename is atomic only within one file system. The number of a process is not enough for a name: its threads and
    tasks share it, and so may containers that share a directory.
    """
    return path.with_name(f"{_prefix(path)}.{os.urandom(8).hex()}{_SUFFIX}")


def left_beside(path: Path) -> Iterator[Path]:
    """What killed writers have left beside `path`; only for who holds a lock that keeps other writers away."""
    ours = re.compile(rf"{re.escape(_prefix(path))}(\.[0-9a-f]{{16}})?{re.escape(_SUFFIX)}")
    with suppress(FileNotFoundError):
        yield from [one for one in path.parent.iterdir() if ours.fullmatch(one.name)]


def _prefix(path: Path) -> str:
    # A name may be as long as the file system allows, and then nothing could be added.
    return f".{path.name[:40]}"


def _is_no_file(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
