"""Settings as a cluster file says them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.documents.yaml import dump
from knavtool.errors import UsageError
from knavtool.settings import paths
from knavtool.settings.asked import Asked, Change, ConfigFile, Field, read_file
from knavtool.settings.flags import read_flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.documents.cluster_file import Scalar, SettingsEntry


def read_entries(entries: Iterable[SettingsEntry], *, instead: Iterable[str] = ()) -> Asked:
    """What the entries say; those in `instead` have no settings besides. A UsageError tells the place."""
    entries = list(entries)
    return Asked(
        files=tuple(one for entry in entries for one in _files(entry)),
        fields=tuple(one for entry in entries for one in _fields(entry)),
        args=tuple(one for entry in entries for one in _args(entry)),
        environment=tuple(
            Change(target=entry.target, name=name, value=_text(value))
            for entry in entries
            for name, value in entry.env.items()
        ),
        reset=tuple(dict.fromkeys(instead)),
    )


def joined(first: Asked, then: Asked) -> Asked:
    """Both, where what comes `then` wins."""
    fields = {(one.target, one.path): one for one in (*first.fields, *then.fields)}
    return Asked(
        files=(*first.files, *then.files),
        fields=tuple(fields.values()),
        args=(*first.args, *then.args),
        environment=(*first.environment, *then.environment),
        reset=(*first.reset, *then.reset),
    )


def _files(entry: SettingsEntry) -> Iterator[ConfigFile]:
    if isinstance(entry.config, Path):
        yield read_file(entry.target, str(entry.config), whole=entry.replace)
    elif entry.config is not None:
        text = dump([entry.config])
        data = None if entry.replace else dict(entry.config)
        yield ConfigFile(target=entry.target, source=entry.where, text=text, data=data)


def _fields(entry: SettingsEntry) -> Iterator[Field]:
    for written, value in entry.set.items():
        try:
            path = paths.written(paths.path_of(written))
        except UsageError as error:
            raise UsageError(f"{entry.where}: set: {error.message}", hint=error.hint) from None
        yield Field(target=entry.target, path=path, value=value)


def _args(entry: SettingsEntry) -> Iterator[Change]:
    for flag, value in entry.args.items():
        text = _text(value)
        try:
            name, whole = read_flag(f"--{flag}-" if text is None else f"--{flag}={text}")
        except UsageError as error:
            raise UsageError(f"{entry.where}: args: {error.message}", hint=error.hint) from None
        yield Change(target=entry.target, name=name, value=whole)


def _text(value: Scalar) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
