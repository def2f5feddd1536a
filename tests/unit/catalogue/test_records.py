"""The records that ship with knavtool: each fits the schema and names what exists."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from knavtool import __version__, resources
from knavtool.catalogue.catalogue import SHIPPED, Catalogue
from knavtool.catalogue.checks import VARIABLES, contradictions
from knavtool.catalogue.reading import read
from knavtool.catalogue.records import Component, ProcessSpec, SourceFile
from knavtool.catalogue.subjects import subject
from knavtool.documents.schema import violations
from knavtool.documents.yaml import load, load_rendered
from knavtool.engines.local.components.component_processes import ComponentProcesses, port_uses
from knavtool.engines.local.processes import supervisor
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.render.components import read_text
from knavtool.settings.effective import effective, own_configuration
from knavtool.settings.flags import names
from knavtool.settings.paths import find, path_of
from knavtool.settings.settings import Settings
from knavtool.settings.tunables import Tunable, tuned
from knavtool.toolchain.pins import GoModule, load_pins

RECORDS = sorted(SHIPPED.glob("*.yaml"))
CATALOGUE = Catalogue.load({"XDG_CONFIG_HOME": "/nowhere"})
ALL, _ = CATALOGUE.sound()

each = pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_fits_the_schema_and_has_the_name_of_its_file(file: Path) -> None:
    document = load(file)
    assert violations(document, "component") == []
    assert document.data["name"] == file.stem
    assert document.data["description"].endswith(".")


@each
def test_links_lead_to_other_records(one: Component) -> None:
    assert {*one.needs, *one.after} <= CATALOGUE.files.keys() - {one.name}
    assert one.local or one.in_cluster


def test_all_components_together_have_an_order() -> None:
    names = [one.name for one in CATALOGUE.ordered(dict.fromkeys(CATALOGUE.files, ""))]
    assert sorted(names) == sorted(CATALOGUE.files)
    for one in ALL:
        for before in (*one.needs, *one.after):
            assert names.index(before) < names.index(one.name)


@each
def test_the_files_that_a_record_names_exist(one: Component) -> None:
    named = [template for process in one.processes for template in process.files.values()]
    for face in (one.manifest, one.process):
        named += face.overrides if face is not None else ()
    named += one.manifest.existing if one.manifest is not None else ()
    for name in named:
        assert resources.override(name).is_file(), name


@each
def test_sources_are_pinned(one: Component) -> None:
    if any("build" in program for program in one.programs.values()):
        assert one.source is not None
        assert one.source.sum
    for face in (one.manifest, one.process):
        if face is None:
            continue
        if face.objects.files or face.objects.kustomization:
            assert one.source is not None
        for text in (*face.objects.images.values(), *_urls(one, face.objects.files)):
            assert "{" not in text
            assert one.version.removeprefix("v") in text
        if (release := face.objects.release) is not None:
            assert release.sha256 or release.checksums
            assert "{" not in release.url + (release.checksums or "")


def _urls(one: Component, files: tuple[SourceFile, ...]) -> list[str]:
    url = one.source.url if one.source is not None else None
    return [url.replace("{path}", file.path) for file in files if file.sha256] if url else []


def test_no_name_means_two_things() -> None:
    """Processes of all components lie in one directory of pid files, and programs in one toolchain."""
    names = Counter(process.name for one in ALL for process in one.processes)
    assert not [name for name, times in names.items() if times > 1]
    programs = Counter(program for one in ALL for program in one.programs)
    assert not [name for name, times in programs.items() if times > 1]
    assert not programs.keys() & load_pins().programs.keys()


@each
def test_the_programs_of_processes_exist_at_the_version_of_the_component(one: Component) -> None:
    own = CATALOGUE.programs()
    known = {**load_pins().programs, **own}
    for process in one.processes:
        assert known[process.program].version.removeprefix("v") == one.version.removeprefix("v")
        if process.program in own:
            owner = next(other for other in ALL if process.program in other.programs)
            assert owner.name in (one.name, *one.needs)


def test_the_programs_of_components_are_pinned() -> None:
    for name, program in CATALOGUE.programs().items():
        module = program.build.module if program.build is not None else None
        if isinstance(module, GoModule):
            assert module.sum, name
            assert module.version == "v" + program.version.removeprefix("v")
        if program.release is not None:
            assert program.release.sha256 or program.release.checksums, name


def test_shipped_records_fit_together() -> None:
    for file in RECORDS:
        assert list(contradictions(load(file), file.stem)) == []


@each
def test_every_place_of_a_process_can_be_filled_in(
    one: Component, files: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In arguments, files, environment, addresses and overrides; and nothing listens to more than this machine."""
    host = ComponentProcesses(files, one, {use: 1000 + number for number, use in enumerate(port_uses([one]))})
    host.prepare()
    server = host.webhook_server()
    if one.process is not None and one.process.webhooks is not None:
        assert server is not None
        assert re.fullmatch(r"https://127\.0\.0\.1:\d+", server.origin)
        assert one.process.webhooks.port in port_uses([one])
        assert one.process.certificates is not None
    for process in one.processes:
        ports = {f"port_{port}" for port in process.ports}
        assert set(host._values(process)) == {*VARIABLES, *ports}
    started: dict[str, list[str]] = {}
    monkeypatch.setattr(supervisor, "start", _remember(started))
    for process in one.processes:
        program = files.directory / process.program
        asyncio.run(host.start(process, program, kubectl=Path("/kubectl"), environment={}))
        texts = [*started[process.name], host.ready_url(process)]
        texts += [(host.directory / name).read_text() for name in process.files]
        for text in texts:
            assert "${" not in text
            assert not re.search(r"0\.0\.0\.0|\[::\]|=:\d", text), text
    assert stat.S_IMODE(host.directory.stat().st_mode) == 0o700
    for file in host.directory.rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077 or file.is_dir(), file


def _remember(started: dict[str, list[str]]) -> object:
    async def start(
        _: ClusterFiles,
        name: str,
        program: Path,
        args: list[str],
        *,
        environment: dict[str, str],
        before_restart: list[list[str]],
    ) -> int:
        started[name] = [
            str(program),
            *args,
            *environment.values(),
            *(word for words in before_restart for word in words),
        ]
        return os.getpid()

    return start


def test_a_record_at_another_version_has_no_sums() -> None:
    record = {
        "name": "made",
        "title": "Made",
        "description": "Made.",
        "version": "v1.2.3",
        "source": {"module": "m", "sum": "h1:x", "url": "https://h/{version}/{path}"},
        "faces": {
            "manifest": {
                "objects": {
                    "release": {
                        "url": "https://h/{number}.yaml",
                        "sha256": "a" * 64,
                        "checksums": "https://h/{version}",
                    },
                    "files": [{"path": "a.yaml", "sha256": "b" * 64}],
                    "images": {"i": "i:{version}"},
                }
            },
            "chart": {
                "repository": "https://h",
                "name": "c",
                "version": "{number}",
                "digest": "c" * 64,
                "namespace": "n",
            },
            "process": {"processes": [{"name": "p", "program": "p", "args": [], "ready": "http://127.0.0.1:1/"}]},
        },
    }
    own, other = read(record), read(record, "v2.0.0")
    assert (own.version, other.version) == ("v1.2.3", "v2.0.0")
    assert read(record, "v1.2.3") == own
    for one, sums in ((own, ("h1:x", "a" * 64, "b" * 64, "c" * 64)), (other, (None,) * 4)):
        assert one.source is not None
        assert one.manifest is not None
        assert one.process is not None
        assert one.chart is not None
        found = one.manifest.objects
        assert found.release is not None
        assert (one.source.sum, found.release.sha256, found.files[0].sha256, one.chart.digest) == sums
        # The process has the objects of the manifest face if it names none of its own.
        assert one.process.objects == found == one.local_objects
    assert other.source is not None
    assert other.chart is not None
    objects = other.local_objects
    assert objects.release is not None
    assert other.source.url == "https://h/v2.0.0/{path}"
    assert objects.release.url == "https://h/2.0.0.yaml"
    assert objects.release.checksums == "https://h/v2.0.0"
    assert objects.images == {"i": "i:v2.0.0"}
    assert other.chart.version == "2.0.0"


def test_the_exporter_has_the_version_of_knavtool() -> None:
    assert Catalogue.load({"HOME": "/nonexistent"}).component("exporter").version == __version__


@each
def test_shortcuts_and_fixed_values_fit_the_configuration(one: Component) -> None:
    about = subject(one)
    if about.config is None:
        assert not one.settings
        return
    own = own_configuration(about)
    for path in about.config.fixed:
        assert find(own, path_of(path)) is not None, path
    for name, shortcut in one.settings.items():
        for choice in shortcut.values:
            assert effective(about, Settings(fields={name: choice})).tree != {}
    assert effective(about, Settings(fields={"new": 1})).tree["new"] == 1


_BOUNDS = re.compile(
    "(kube-api-)?(qps|burst)|.*(threads|workers|concurrency|period|reconciles|threadiness).*|v|.*log-?level"
)


_ALIKE = {"clientQPS": "5000", "clientBurst": "10000", "schedulePeriod": "200ms", "logLevel": "info"}
_CANNOT = {
    ("kwok", "clientQPS"): "unlimited",
    ("yunikorn-admission-controller", "clientQPS"): "1000",
    ("yunikorn-admission-controller", "clientBurst"): "1000",
    ("appwrapper", "clientQPS"): "20",
    ("appwrapper", "clientBurst"): "30",
    ("prometheus", "logLevel"): "warn",
}
"""What cannot be set, or makes no difference between schedulers."""


@each
def test_what_bounds_a_process_is_named_and_stands_somewhere(one: Component) -> None:
    for process in one.processes:
        assert process.tunables is not None, process.name
        flags = {name for tunable in process.tunables if (name := tunable.flag)}
        assert {name for name in names(process.args) if _BOUNDS.fullmatch(name)} <= flags
        for tunable in process.tunables:
            assert tuned(tunable, {}, documents(process, tunable)).value, (process.name, tunable)


@each
def test_schedulers_can_be_compared(one: Component) -> None:
    for process in one.processes:
        assert process.environment.get("GOGC") == "800" or one.name in ("exporter", "prometheus")
        flags = {name: value for arg in process.args for name, _, value in [arg.lstrip("-").partition("=")]}
        for tunable in process.tunables or ():
            if tunable.name in _ALIKE:
                expected = _CANNOT.get((process.name, tunable.name), _ALIKE[tunable.name])
                found = tuned(tunable, flags, documents(process, tunable))
                assert found.value == expected, (process.name, tunable)


def documents(process: ProcessSpec, tunable: Tunable) -> list[dict[str, Any]]:
    """The configuration that a record gives a process."""
    file = tunable.override or next(iter(process.files.values()), "")
    return load_rendered(read_text(resources.override(file))) if tunable.path else []
