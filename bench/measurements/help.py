"""`knavtool --help` beside an interpreter that does nothing, in seconds."""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from bench import commands
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.setting import KNAVTOOL

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting

_CALLS = 10


def run(setting: Setting) -> Generator[Sample]:
    """Each figure is the median of ten calls, because one takes no longer than what else a machine does at times."""
    environment = setting.environment()

    def seconds(*command: str) -> float:
        return statistics.median(commands.run(command, environment).seconds for _ in range(_CALLS))

    def ours() -> float:
        return seconds(KNAVTOOL, "--help")

    def beside() -> float:
        return seconds(sys.executable, "-c", "pass")

    for help_, nothing in in_turn(setting.repeat, ours, beside):
        yield Sample(ours=help_, beside=nothing)


MEASUREMENT = Measurement(
    name="help",
    ours="`knavtool --help`",
    beside="`python -c pass`",
    unit="s",
    aim=Aim(held=Held.OURS, limit=0.2),
    run=run,
)
