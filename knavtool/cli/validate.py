"""`knavtool validate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knavtool.cli import options, streams
from knavtool.cli.task_types import task_types
from knavtool.errors import ExitCode, InvalidDocument, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation
    from knavtool.workflow.registry import Registry

_KINDS = {
    "tasks": "a workflow",
    "nodes": "a values file",
    "components": "a cluster file",
    "contenders": "a bench file",
}
_OF_CLUSTERS = frozenset({"components", "kubernetes", "controlPlane"})


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Values, workflow, cluster and bench files: paths, directories, comma lists, {a,b}. The workflows of "
            "one argument are checked together, as `run` would run them.",
        ),
    ],
    settings: options.Settings = None,
    compat: options.Compat = False,
    no_plugins: options.NoPlugins = False,
) -> None:
    """Validate files without a cluster; each violation is one line on stderr, as file:line:column: path: message."""
    from knavtool.documents.paths import find_paths
    from knavtool.documents.variables import parse_settings

    given = parse_settings(settings or [])
    missing: list[str] = []
    faults: list[Violation] = []
    warnings: list[Violation] = []
    looked_at: list[Path] = []
    for argument in files:
        found, wrong = find_paths([argument])
        missing += wrong
        looked_at += found
        faults += _violations(list(dict.fromkeys(found)), given, warnings if compat else None, no_plugins=no_plugins)
    bad = {violation.file for violation in faults}
    fine = [f"{file}: ok" for file in looked_at if str(file) not in bad]
    # Nothing stands before a fault, so that editors find the place.
    streams.say("\n".join(dict.fromkeys([*missing, *map(str, faults), *map(_warning, warnings), *fine])))
    if missing or faults:
        raise typer.Exit(int(ExitCode.BAD_INPUT))


def _warning(violation: Violation) -> str:
    path = f"{violation.path}: " if violation.path else ""
    return str(replace(violation, path="", message=f"warning: {path}{violation.message}"))


def _violations(
    files: Sequence[Path], settings: Mapping[str, Any], warnings: list[Violation] | None, *, no_plugins: bool
) -> Sequence[Violation]:
    """What is wrong with files that are used together; their kinds are told by their top-level fields.

    With `warnings`, which receives them, workflows are read as Knavigator reads them.
    """
    from knavtool.documents.cluster_file import parse_cluster_file
    from knavtool.documents.schema import nearest
    from knavtool.documents.values import parse_values
    from knavtool.documents.workflow_reader import parse_workflow
    from knavtool.documents.yaml import load
    from knavtool.workflow import plan

    lenient = warnings is not None
    types: Registry | None = None  # only a workflow needs them
    wrong: list[Violation] = []
    workflows = []
    for file in files:
        try:
            document = load(file)
            data = document.data
            if isinstance(data, dict) and "tasks" in data:
                types = task_types(no_plugins=no_plugins)
                workflows.append(parse_workflow(document, file, types.documents, settings=settings, lenient=lenient))
            elif isinstance(data, dict) and "contenders" in data:
                _check_bench(document, file)
            elif isinstance(data, dict) and _OF_CLUSTERS & data.keys():
                parse_cluster_file(document, file.absolute().parent)
            elif isinstance(data, dict) and "nodes" in data:
                parse_values(document)
            else:
                known = [nearest(str(key), _KINDS) for key in data] if isinstance(data, dict) else []
                expected = " or ".join(f"{kind} (with the field {field!r})" for field, kind in _KINDS.items())
                wrong.append(document.violation((), f"expected {expected}{next(filter(None, known), '')}"))
        except InvalidDocument as error:
            wrong += error.violations
    try:
        planned = plan.build(workflows, search=[Path.cwd()], lenient=lenient, types=types)
        if warnings is not None:
            warnings += planned.warnings
    except InvalidDocument as error:
        wrong += error.violations
    return sorted(set(wrong))


def _check_bench(document: Document, file: Path) -> None:
    """Check a bench file, and the workflows of its contenders together; raises InvalidDocument."""
    from knavtool.bench.planning import check
    from knavtool.documents.bench_file import parse_bench_file
    from knavtool.measure.names import all_names

    try:
        check(parse_bench_file(document, file.absolute().parent, all_names()))
    except UsageError as error:
        raise InvalidDocument([document.violation((), error.message)]) from None
