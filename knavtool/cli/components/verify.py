"""`knavtool components verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async
from knavtool.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.catalogue.records import Component
    from knavtool.catalogue.verdicts import Verified


def verify(
    context: typer.Context,
    names: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Argument(metavar="NAME", help="Names of the components. Defaults to all."),
    ] = None,
    output: options.OutputFormat = options.Output.TABLE,
) -> None:
    """Check that charts and release files are published as the records say; exit code 1 if something is wrong.

    Everything is fetched again. What cannot be reached is listed as `cannot tell`.
    """
    from knavtool.catalogue.verdicts import Verdict

    found = run_async(_verify(options.target(context, None, None), names or []))
    print_rows(found, output)
    if any(one.result is Verdict.WRONG for one in found):
        raise typer.Exit(int(ExitCode.CHECK_FAILED))


async def _verify(target: options.Target, names: Sequence[str]) -> list[Verified]:
    import tempfile

    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.catalogue.verification import verify as look
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.programs import helm as find_helm
    from knavtool.harness.programs import toolchain_from_environment

    catalogue = Catalogue.load(target.environment)
    components: list[Component] = [catalogue.component(name) for name in names] or catalogue.sound()[0]
    brought = [kinds for one in catalogue.sound()[0] for kinds in one.brings]
    rows: list[Verified] = []
    with progress(target.settings) as steps, tempfile.TemporaryDirectory(prefix="knavtool-") as empty:
        helm = await find_helm(target, steps) if any(one.chart is not None for one in components) else None
        ours = toolchain_from_environment(target.environment)
        kubectl = (await ours.ensure(["kubectl"], steps=steps))["kubectl"]
        # With a cache of its own, it asks for everything again.
        fresh = toolchain_from_environment(
            {**target.environment, "XDG_CACHE_HOME": str(Path(empty))}, binaries=[f"kubectl={kubectl}"]
        )
        for component in components:
            with steps.step("component", component.name, component.version) as step:
                async for one in look(component, fresh, helm, brought=brought, steps=step.nested()):
                    rows.append(one)  # noqa: PERF401 - the list grows while a step is shown
    return rows
