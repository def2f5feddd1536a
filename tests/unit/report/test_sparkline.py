"""The pulse of a run on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from knavtool.recording.pulse import Beat
from knavtool.report.sparkline import BLOCKS, pulse_lines, sparkline


def beats(count: int = 60, *, gpus: float = 64) -> list[Beat]:
    return [
        Beat(allocated=gpus * number / count, allocatable=gpus, pending=1000 * number, rate=number / 2)
        for number in range(count)
    ]


def shown(of: Sequence[Beat], width: int, *, unicode: bool = True) -> list[str]:
    return [line.plain for line in pulse_lines(of, width, unicode=unicode)]


def test_blocks_rise_with_the_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 7) == BLOCKS
    assert sparkline([None, 0, 0.001, 1, 5], 1) == " ▁▂██"
    assert sparkline([0, 0], 0) == "▁▁"


def test_lines_have_the_number_of_now() -> None:
    of = [Beat(0, 128, 64, 0), Beat(64, 128, 48, 16), Beat(96, 128, 12, 4)]
    assert shown(of, 80) == [
        "GPU occupancy    75%  ▁▅▇  of 128",
        "pending pods      12  █▇▃",
        "bindings/s       4.0  ▁█▃  max 16",
    ]


def test_without_gpus_there_is_no_occupancy() -> None:
    assert [line.split()[0] for line in shown([Beat(0, 0, 3, 0)], 80)] == ["pending", "bindings/s"]


def test_lines_never_wrap() -> None:
    for width in range(200):
        lines = shown(beats(), width)
        assert all(cell_len(line) <= width for line in lines)
        assert bool(lines) == (width >= 22)
        plots = [line for line in lines if set(line) & set(BLOCKS)]
        assert len(plots) == (3 if width >= 30 else 0)


def test_the_newest_samples_are_shown() -> None:
    (_, pending, _) = shown(beats(), 40)
    assert pending.endswith("█")
    assert pending.split()[2] == "59,000"


def test_without_unicode_there_are_numbers() -> None:
    lines = shown(beats(), 80, unicode=False)
    assert lines[0].split() == ["GPU", "occupancy", "98%", "of", "64"]
    assert all(line.isascii() for line in lines)
