"""`knavtool bench FILE`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options, streams
from knavtool.cli.bench.place import in_cluster, place_of, require_clusters
from knavtool.cli.cluster import existing
from knavtool.cli.cluster.options import Engine, EngineChoice, require_engine
from knavtool.cli.running import run_async
from knavtool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from knavtool.bench.directory import Directory
    from knavtool.bench.planning import Planned
    from knavtool.bench.result import Result
    from knavtool.cli.bench.place import Opened


def run(
    context: typer.Context,
    path: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Argument(metavar="FILE|DIR", help="Bench file, or directory of workflows; see --on."),
    ] = None,
    on: Annotated[
        Optional[list[str]],  # noqa: UP045 - see above
        typer.Option(
            "--on",
            metavar="NAME[=VERSION],...",
            envvar="KNAVTOOL_ON",
            help="Contenders: components whose setup the directory has as config-NAME.yml; a+b is one with both.",
        ),
    ] = None,
    workload: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option(
            "--workload", metavar="NAME", envvar="KNAVTOOL_WORKLOAD", help="Which run-NAME.yml, if there are several."
        ),
    ] = None,
    repeat: Annotated[
        Optional[int],  # noqa: UP045 - see above
        typer.Option("--repeat", min=1, max=1000, envvar="KNAVTOOL_REPEAT", help="Repetitions. Defaults to 5."),
    ] = None,
    warm_up: Annotated[
        Optional[bool],  # noqa: UP045 - see above
        typer.Option(
            "--warm-up/--no-warm-up",
            envvar="KNAVTOOL_WARM_UP",
            help="Whether each contender runs once before, uncounted. It does by default.",
        ),
    ] = None,
    retries: Annotated[
        Optional[int],  # noqa: UP045 - see above
        typer.Option(
            "--retries",
            min=0,
            max=10,
            envvar="KNAVTOOL_RETRIES",
            help="How often a repetition on a busy machine is run again. Defaults to 1.",
        ),
    ] = None,
    timeout: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option(
            "--timeout", envvar="KNAVTOOL_BENCH_TIMEOUT", help="Time limit of one repetition. Defaults to 30m."
        ),
    ] = None,
    measure: Annotated[
        Optional[list[str]],  # noqa: UP045 - see above
        typer.Option(
            "--measure",
            metavar="NAME",
            envvar="KNAVTOOL_MEASURE",
            help="What to compare, for example gang.wait.p95; repeatable. docs/measures.md lists them.",
        ),
    ] = None,
    baseline: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option(
            "--baseline",
            metavar="CONTENDER",
            envvar="KNAVTOOL_BASELINE",
            help="With whom the others are compared. Defaults to the first.",
        ),
    ] = None,
    settings: options.Settings = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            envvar="KNAVTOOL_BENCH_OUTPUT",
            help="Directory for repetitions and result. Defaults to bench-NAME-TIME.",
        ),
    ] = None,
    resume: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option(
            "--resume", metavar="DIR", envvar="KNAVTOOL_RESUME", help="Do what is missing in the directory of a bench."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", envvar="KNAVTOOL_STRICT", help="Exit with 1 also if too few repetitions cannot tell."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the schedule without running anything.")
    ] = False,
    engine: EngineChoice = Engine.LOCAL,
    yes: existing.Yes = False,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Run one workload on several schedulers, versions or settings, repeatedly, and compare them.

    Each repetition has a fresh local cluster. With `--engine existing`, all take place in the cluster of a context:
    components are switched between contenders, and what a repetition made must be gone before the next one begins.

    The result is DIR/index.html, result.md, result.json and result.csv. `knavtool bench compare OLD NEW` compares two
    results.
    """
    require_engine(context, engine, existing=("yes", "kube_context", "kubeconfig") if resume is None else ())
    from knavtool.bench import planning
    from knavtool.bench.asking import Asked, bench_file
    from knavtool.bench.directory import Directory, alone
    from knavtool.documents.duration import parse_duration
    from knavtool.documents.variables import parse_settings

    if (path is None) == (resume is None):
        raise UsageError("name a bench file or directory, or the directory of a bench with --resume")
    if resume is not None:
        _require_alone(context)
        directory = Directory(resume)
        asked, digest = directory.asked()
    else:
        assert path is not None  # noqa: S101 - one of the two is given
        asked = Asked(
            path=str(path.absolute()),
            on=tuple(word.strip() for text in on or () for word in text.split(",") if word.strip()),
            workload=workload,
            repetitions=repeat,
            warm_up=warm_up,
            retries=retries,
            timeout=parse_duration(timeout, option="--timeout") if timeout else None,
            baseline=baseline,
            measures=tuple(measure or ()),
            variables=parse_settings(settings or []),
            **(in_cluster(options.target(context, kubeconfig, kube_context)) if engine is Engine.EXISTING else {}),
        )
        directory, digest = Directory(output or Path()), ""
    if not asked.existing:
        from knavtool.engines.local.state.machine import require_machine

        require_machine()
    bench = planning.check(bench_file(asked, os.environ))
    require_clusters(asked, bench)
    if dry_run:
        _print_schedule(bench, directory if resume else None)
        return
    if resume is None and output is None:
        directory = Directory(Path(f"bench-{bench.file.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"))
    if resume is not None and digest != planning.digest(bench):
        raise UsageError(
            f"{resume}: the workload has changed since this bench began",
            hint="run it anew with -o and another directory; repetitions of two workloads cannot be compared",
        )
    with alone(directory, os.environ), place_of(context, asked, directory, yes=yes) as place:
        if resume is None:
            directory.begin(asked, planning.digest(bench))
        _run(context, bench, directory, place, strict=strict)


def _run(context: typer.Context, bench: Planned, directory: Directory, place: Opened, *, strict: bool) -> None:
    from knavtool.bench import files
    from knavtool.bench.judging import judge
    from knavtool.bench.reports import write_reports
    from knavtool.bench.running import Progress
    from knavtool.harness.programs import cache_directory

    found: list[Result] = []

    def write() -> None:
        # Also after an interruption: what is there can be read.
        progress = Progress.of(bench, directory)
        if progress.attempts:
            found.append(judge(bench, progress, directory))
            files.write(found[0], directory, cache=cache_directory(os.environ))

    ended = False
    try:
        run_async(_repeat(context, bench, directory, place), at_end=write)
        ended = True
    finally:
        if not ended and found and not found[0].whole:
            _tell_rest(directory, found[0])
    (result,) = found
    _print(result)
    run_async(write_reports(result, directory, cache=cache_directory(os.environ)))
    streams.say(f"result: {directory.path}/{{{','.join(files.NAMES)}}}")
    if result.failed or (strict and not result.certain):
        raise typer.Exit(int(ExitCode.CHECK_FAILED))


async def _repeat(context: typer.Context, bench: Planned, directory: Directory, opened: Opened) -> None:
    """Run what is missing."""
    from knavtool.bench.running import run_bench
    from knavtool.cli.bench.view import watching

    with watching(options.settings(context)) as (steps, told):
        async with opened(bench, steps) as place:
            await run_bench(bench, directory, place, steps=steps, told=told)


def _require_alone(context: typer.Context) -> None:
    """Raise UsageError if something is given that a bench remembers."""
    if given := options.given_besides(context, ("path", "resume", "strict", "dry_run", "yes")):
        raise UsageError(f"{', '.join(given)} cannot be changed with --resume", hint="leave it out, or begin anew")


def _tell_rest(directory: Directory, result: Result) -> None:
    """Say what there is of a bench that was ended, and how it goes on."""
    done = sum(one.counted for one in result.attempts)
    wanted = result.repetitions * len(result.contenders) * len(result.scenarios)
    streams.say(
        f"{done} of {wanted} repetitions are in {directory.path}; "
        f"`knavtool bench --resume {directory.path}` does the rest"
    )


def _print_schedule(bench: Planned, directory: Directory | None) -> None:
    """Print what would be run, and how long that takes."""
    from knavtool.bench.running import Progress
    from knavtool.cli.bench.view import duration

    progress = Progress.of(bench, directory) if directory is not None else Progress(bench, list(bench.schedule()))
    missing = [slot for slot in progress.slots if progress.missing(slot)]
    for number, slot in enumerate(missing, 1):
        print(f"{number:4}  {slot}")
    remaining = progress.remaining()
    most = len(missing) * bench.file.timeout
    if remaining is None:
        print(f"{len(missing)} repetitions; how long one takes is unknown, at most {duration(most)} in all")
    else:
        print(f"{len(missing)} repetitions, about {duration(remaining)}")


def _print(result: Result) -> None:
    """Print the result as a table."""
    from knavtool.bench.console import lines

    print("\n".join(lines(result)))
