"""With which settings each process was started last: what `up` compares, also after a call that was killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from knavtool.atomic import atomic_write
from knavtool.settings.settings import Settings

if TYPE_CHECKING:
    from knavtool.engines.local.state.layout import ClusterFiles


def load(files: ClusterFiles, process: str) -> Settings:
    """The settings that a process was started with; if that cannot be read, as if it had none."""
    try:
        return Settings.from_data(json.loads(files.applied(process).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Settings()


def save(files: ClusterFiles, process: str, settings: Settings) -> None:
    """Note the settings of a process before it is started with them."""
    file = files.applied(process)
    if not settings:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(file, json.dumps(settings.as_data()))
