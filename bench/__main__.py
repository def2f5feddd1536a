"""`python -m bench`: run measurements one after another, print one table."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import aiohttp

from bench import machine, output
from bench.measurement import Measurement, Result, Sample
from bench.measurements import ALL
from bench.setting import BenchError, Setting, programs, tell

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

_INTERRUPTED = 130


def main() -> int:
    """Exit code 0 when every measurement gave figures, whatever they are; 1 when one could not be made."""
    options = _options()
    chosen = [measurement for measurement in ALL if not options.only or measurement.name in options.only]
    if options.quick and not options.only:
        chosen = _one_of_each(chosen)
    signal.signal(signal.SIGTERM, _interrupt)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="knavtool-bench-", ignore_cleanup_errors=True) as directory:
        try:
            setting = Setting(
                repeat=options.repeat, quick=options.quick, directory=Path(directory), programs=programs()
            )
        except BenchError as error:
            tell(f"error: {error}")
            return 1
        try:
            for measurement in chosen:
                results.append(_measure(measurement, setting))  # noqa: PERF401 - what is there stays after ^C
        except KeyboardInterrupt:
            tell("interrupted")
            return _INTERRUPTED
        finally:
            setting.kept.close()
            if results:
                print(output.table(results, setting))
            if options.json is not None:
                options.json.write_text(json.dumps(output.document(results, setting), indent=2) + "\n")
    return 1 if any(result.error for result in results) else 0


def _options() -> argparse.Namespace:
    names = [measurement.name for measurement in ALL]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure knavtool against bare loops.")
    parser.add_argument("--only", metavar="NAME,...", type=lambda text: text.split(","), default=[])
    parser.add_argument("--repeat", metavar="N", type=int, help="runs of each measurement (3, with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="a tenth of all counts, to see that everything works")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all samples to FILE")
    options = parser.parse_args()
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(names)}")
    if options.repeat is None:
        options.repeat = 1 if options.quick else 3
    if options.repeat < 1:
        parser.error("--repeat must be 1 or more")
    return options


def _one_of_each(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The last of those that do the same with other numbers; says which are left out."""
    found = {getattr(one.run, "func", one.run): one for one in measurements}
    if left_out := [one.name for one in measurements if one not in found.values()]:
        tell(f"left out, because others do the same with other numbers: {', '.join(left_out)}")
    return list(found.values())


def _measure(measurement: Measurement, setting: Setting) -> Result:
    busy = machine.busy() if setting.quick else machine.calm()
    tell(
        f"{measurement.name}: {measurement.ours} / {measurement.beside}"
        + (f" (busy: {busy:.0%})" if busy > machine.BUSY else "")
    )
    samples: list[Sample] = []
    error = ""
    runs: Generator[Sample] = measurement.run(setting)
    try:
        # Closed for certain, because a generator that is left in its middle would keep its control plane running.
        with closing(runs):
            for sample in runs:
                samples.append(sample)
                also = "".join(f", {key}: {value:.3g}" for key, value in sample.also.items())
                tell(f"    {sample.ours:.3f} / {sample.beside:.3f} {measurement.unit} = {sample.ratio:.2f}{also}")
    except (BenchError, aiohttp.ClientError, OSError, TimeoutError) as failure:
        error = str(failure) or type(failure).__name__
        tell(f"    failed: {error}")
    return Result(measurement=measurement, samples=samples, busy=busy, error=error)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Take SIGTERM for ^C, so that everything that is running is ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
