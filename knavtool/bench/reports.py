"""The reports of repetitions, written on all processors: each takes 2 s of one.

As a program, it writes those of the directories that it is given, after that of the cache.
"""

from __future__ import annotations

import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.errors import KnavError, OutputError
from knavtool.measure.measuring import measure_file
from knavtool.report import files
from knavtool.report.html import Renderer
from knavtool.report.write import PAGE
from knavtool.subprocesses import process_group
from knavtool.taskgroup import task_group
from knavtool.usage import cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.bench.directory import Directory
    from knavtool.bench.result import Result


async def write_reports(result: Result, directory: Directory, *, cache: Path) -> None:
    """Write the report of each repetition that has none yet. Raises OutputError."""
    places = [directory.path / one.directory for one in result.attempts if one.measured]
    missing = [place for place in places if not (place / PAGE).exists()]
    count = min(cores(), len(missing))
    async with task_group() as group:
        for first in range(count):
            group.create_task(_program(missing[first::count], cache), name=f"reports-{first}")


async def _program(places: Sequence[Path], cache: Path) -> None:
    command = (sys.executable, "-m", __name__, str(cache), *map(str, places))
    async with process_group(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE) as process:
        _, told = await process.communicate()
    if process.returncode:
        raise OutputError(told.decode(errors="replace").strip() or "the reports of repetitions cannot be written")


def _main() -> int:
    cache, *places = map(Path, sys.argv[1:])
    try:
        with closing(Renderer(cache)) as renderer:
            for place in places:
                files.write(place / PAGE, renderer.render(measure_file(place)))
    except KnavError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
