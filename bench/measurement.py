"""What a measurement is: figures of one run, the aim they are held against, and what is made of several runs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from bench.setting import Setting

A = TypeVar("A")
B = TypeVar("B")


class Held(StrEnum):
    """What an aim looks at."""

    OURS = "ours"  # our figure itself
    RATIO = "ratio"  # ours divided by the one beside it
    SPEEDUP = "speedup"  # the one beside it divided by ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A limit; `writes` is how many writes the server may count in any run, None for any number."""

    held: Held
    limit: float
    writes: int | None = None

    def text(self, unit: str) -> str:
        """The aim for people."""
        said = {
            Held.OURS: f"<= {self.limit:g} {unit}",
            Held.RATIO: f"<= {self.limit:g} x",
            Held.SPEEDUP: f">= {self.limit:g} x faster",
        }
        return said[self.held] + ("" if self.writes is None else f", {self.writes} writes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The figures of one run, in the measurement's unit; `also` holds what is told but not held against an aim."""

    ours: float
    beside: float
    writes: int = 0
    also: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times the one beside it our figure is."""
        return self.ours / self.beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table: `ours` and `beside` say what the two figures are; `run` yields a sample per run."""

    name: str
    ours: str
    beside: str
    unit: str
    aim: Aim
    run: Callable[[Setting], Generator[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The samples of a measurement. `busy` is the share of the processors that others used just before."""

    measurement: Measurement
    samples: Sequence[Sample]
    busy: float
    error: str = ""

    @property
    def ours(self) -> float:
        """The median of our figures."""
        return statistics.median(sample.ours for sample in self.samples)

    @property
    def beside(self) -> float:
        """The median of the figures beside ours."""
        return statistics.median(sample.beside for sample in self.samples)

    @property
    def ratio(self) -> float:
        """The median of the ratios of each run: what slows the machine down for a while slows both halves of a run."""
        return statistics.median(sample.ratio for sample in self.samples)

    @property
    def also(self) -> dict[str, float]:
        """The medians of the other figures; what takes long is not in every sample."""
        keys = dict.fromkeys(key for sample in self.samples for key in sample.also)
        return {
            key: statistics.median(sample.also[key] for sample in self.samples if key in sample.also) for key in keys
        }

    @property
    def met(self) -> bool:
        """Whether the aim is reached."""
        aim = self.measurement.aim
        if aim.writes is not None and any(sample.writes > aim.writes for sample in self.samples):
            return False
        match aim.held:
            case Held.OURS:
                return self.ours <= aim.limit
            case Held.RATIO:
                return self.ratio <= aim.limit
            case Held.SPEEDUP:
                return 1 / self.ratio >= aim.limit


def in_turn(repeat: int, ours: Callable[[], A], beside: Callable[[], B]) -> Iterator[tuple[A, B]]:
    """Both, `repeat` times; who goes first changes, because the second may meet a warmer or a more tired server."""
    for number in range(repeat):
        if number % 2:
            second = beside()
            yield ours(), second
        else:
            first = ours()
            yield first, beside()
