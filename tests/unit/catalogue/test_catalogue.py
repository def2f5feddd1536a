"""The catalogue: names, versions, links, and the records of users."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool import resources
from knavtool.catalogue.catalogue import SHIPPED, Catalogue, parse_wanted
from knavtool.catalogue.records import Certificates
from knavtool.errors import InvalidDocument, UsageError
from knavtool.toolchain.pins import GoModule


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def directory(environment: dict[str, str]) -> Path:
    """Where the user keeps records."""
    made = Path(environment["XDG_CONFIG_HOME"]) / "knavtool" / "components"
    made.mkdir(parents=True)
    return made


def write(directory: Path, name: str, **fields: Any) -> Path:
    record = {
        "name": name,
        "title": name.title(),
        "description": "Made for a test.",
        "version": "v1.0.0",
        "faces": {"controlPlane": {"featureGates": {"A": True}}},
        **fields,
    }
    file = directory / f"{name}.yaml"
    file.write_text(yaml.safe_dump(record, sort_keys=False))
    return file


def order(catalogue: Catalogue, *names: str) -> list[str]:
    return [one.name for one in catalogue.ordered(dict.fromkeys(names, ""))]


def test_the_shipped_records_are_there_without_any_of_the_user(environment: dict[str, str]) -> None:
    catalogue = Catalogue.load(environment)
    assert list(catalogue.files) == sorted(file.stem for file in SHIPPED.glob("*.yaml"))
    assert [one.name for one in catalogue.sound()[0]] == list(catalogue.files)
    assert "kwok" in [one.name for one in catalogue.with_role("nodes")]
    assert catalogue.with_role("") != catalogue.with_role("monitoring")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("jobste", "did you mean jobset?"), ("Kueue", "did you mean kueue?"), ("zzz", "known are "), ("", "known are ")],
)
def test_an_unknown_name_is_told_with_the_nearest(environment: dict[str, str], name: str, hint: str) -> None:
    catalogue = Catalogue.load(environment)
    with pytest.raises(UsageError, match=f"no component '{name}' in the catalogue") as raised:
        catalogue.component(name)
    assert raised.value.hint.startswith(hint)
    with pytest.raises(UsageError, match="no component"):
        catalogue.ordered({"kwok": "", name: "v1.0.0"})


def test_records_of_the_user_add_and_replace(environment: dict[str, str], directory: Path) -> None:
    write(directory, "mine", needs=["jobset"])
    write(directory, "kueue", version="v9.9.9")
    (directory / "notes.txt").write_text("{")
    catalogue = Catalogue.load(environment)
    assert catalogue.component("mine").title == "Mine"
    assert catalogue.component("kueue").version == "v9.9.9"
    assert catalogue.component("kueue").process is None
    assert order(catalogue, "mine") == ["jobset", "mine"]
    assert catalogue.files["kueue"].parent == directory
    assert catalogue.files["jobset"].parent == SHIPPED


def test_the_programs_of_a_users_record(environment: dict[str, str], directory: Path) -> None:
    write(
        directory,
        "mine",
        source={"module": "example.com/mine", "sum": "h1:x"},
        programs={"mine-controller": {"build": {"package": "./cmd"}}, "given": {}},
    )
    programs = Catalogue.load(environment).programs()
    build = programs["mine-controller"].build
    assert build is not None
    assert build.module == GoModule(path="example.com/mine", version="v1.0.0", sum="h1:x")
    # What has no source is given by the user.
    assert (programs["given"].build, programs["given"].release) == (None, None)


def test_violations_are_told_all_at_once_with_their_places(environment: dict[str, str], directory: Path) -> None:
    file = directory / "bad.yaml"
    file.write_text("name: bad\ntitle: Bad\ndescription: Bad.\nversion: new\nneeds: kwok\nfaces: {}\nmore: 1\n")
    catalogue = Catalogue.load(environment)
    with pytest.raises(InvalidDocument) as raised:
        catalogue.component("bad")
    told = str(raised.value)
    for place in (":4:1: version: ", ":5:1: needs: ", ":6:1: faces: ", ":7:1: more: "):
        assert f"{file}{place}" in told, told
    # A record that nobody asks for is not read.
    assert catalogue.component("kwok").name == "kwok"
    assert order(catalogue, "jobset") == ["jobset"]


@pytest.mark.parametrize("text", ["", "{", "- a\n", "a text", "\x00"])
def test_a_file_that_is_no_record(environment: dict[str, str], directory: Path, text: str) -> None:
    file = directory / "bad.yaml"
    file.write_text(text)
    with pytest.raises(InvalidDocument, match=str(file)):
        Catalogue.load(environment).component("bad")


def test_a_record_has_the_name_of_its_file(environment: dict[str, str], directory: Path) -> None:
    write(directory, "one").rename(directory / "other.yaml")
    with pytest.raises(InvalidDocument, match=r"other\.yaml:1:1: name: 'one' is not the file's name, 'other'"):
        Catalogue.load(environment).component("other")


def test_a_record_of_a_later_format_is_told(environment: dict[str, str], directory: Path) -> None:
    write(directory, "one", format=1)
    write(directory, "later", format=2)
    catalogue = Catalogue.load(environment)
    assert catalogue.component("one").name == "one"
    with pytest.raises(InvalidDocument, match=r"format: .*1; a record of a later format needs a later knavtool"):
        catalogue.component("later")


def test_what_becomes_of_kinds_that_are_not_kubernetes_own(environment: dict[str, str], directory: Path) -> None:
    one = {"name": "one", "program": "one", "args": [], "ready": "http://127.0.0.1:${port_http}/", "ports": ["http"]}
    process = {"keepKinds": ["Queue"], "dropKinds": ["Certificate"], "processes": [one]}
    write(directory, "one", faces={"process": process}, programs={"one": {}})
    face = Catalogue.load(environment).component("one").process
    assert face is not None
    assert (face.keep_kinds, face.drop_kinds) == (("Queue",), ("Certificate",))


def test_certificates_that_need_no_more_names(environment: dict[str, str], directory: Path) -> None:
    process = {"name": "one", "program": "one", "args": [], "ready": "http://127.0.0.1:1/"}
    write(directory, "one", faces={"process": {"processes": [process], "certificates": {}}})
    face = Catalogue.load(environment).component("one").process
    assert face is not None
    assert face.certificates == Certificates()


def test_parts_that_do_not_fit_together(environment: dict[str, str], directory: Path) -> None:
    process = {
        "name": "p",
        "program": "p",
        "ports": ["http"],
        "args": ["--port=${port_http}", "--other=${port_https}"],
        "environment": {"A": "${port_grpc}", "B": "${kubecfg}"},
        "files": [{"name": "own.yaml", "template": "nowhere/own.yaml"}],
        "ready": "http://127.0.0.1:${port_health}/",
    }
    manifest = {"objects": {"files": [{"path": "a.yaml"}]}, "overrides": ["/nowhere/a.yaml"]}
    face = {"webhooks": {"port": "p/https"}, "apis": "p/apis", "processes": [process]}
    write(directory, "bad", programs={"p": {"build": {"package": "."}}}, faces={"manifest": manifest, "process": face})
    with pytest.raises(InvalidDocument) as raised:
        Catalogue.load(environment).component("bad")
    told = {str(one).partition(": ")[2] for one in raised.value.violations}
    template = "faces.process.processes[0].files[0].template"
    missing = resources.override("nowhere/own.yaml")
    assert told == {
        "programs.p.build: there is no source to build it from",
        "faces.manifest.objects.files: there is no source to take it from",
        "faces.manifest.overrides[0]: there is no file /nowhere/a.yaml",
        "faces.process.webhooks.port: no process has the port 'p/https'; there are p/http",
        "faces.process.webhooks: webhooks are served with certificates, which are missing here",
        "faces.process.apis: no process has the port 'p/apis'; there are p/http",
        "faces.process.apis: APIs are served with certificates, which are missing here",
        "faces.process.processes[0].args[1]: p has no port 'https'",
        "faces.process.processes[0].ready: p has no port 'health'",
        "faces.process.processes[0].environment.A: p has no port 'grpc'",
        "faces.process.processes[0].environment.B: unknown variable 'kubecfg'; did you mean 'kubeconfig'?",
        f"{template}: there is no file {missing}; give the absolute path of a file of your own",
    }


def test_tunables_that_stand_nowhere(environment: dict[str, str], directory: Path) -> None:
    tunables = {
        "clientQPS": {"path": "qps"},
        "clientBurst": {"path": "a..b", "override": "nowhere/a.yaml"},
        "workers": {"Job": {"path": "workers", "flag": "workers"}},
    }
    process = {"name": "p", "program": "p", "args": [], "tunables": tunables, "ready": "http://127.0.0.1:1/"}
    write(directory, "bad", programs={"p": {}}, faces={"process": {"processes": [process]}})
    with pytest.raises(InvalidDocument) as raised:
        Catalogue.load(environment).component("bad")
    told = {str(one).partition(": ")[2] for one in raised.value.violations}
    place, lacking = "faces.process.processes[0].tunables", "p has no flag --config with a file"
    missing = resources.override("nowhere/a.yaml")
    assert told == {
        f"{place}.clientQPS.path: {lacking}; give the override that has it",
        f"{place}.clientBurst.path: not a path at '.b'",
        f"{place}.clientBurst.override: there is no file {missing}; give the absolute path of a file of your own",
        f"{place}.workers.Job.path: {lacking}; give the override that has it",
    }


def test_a_configuration_that_is_not_there(environment: dict[str, str], directory: Path) -> None:
    file = directory / "own.conf"
    file.write_text("a: 1\n")
    process = {
        "name": "p",
        "program": "p",
        "args": [],
        "files": [{"name": "own.conf", "template": str(file)}],
        "ready": "http://127.0.0.1:1/",
    }
    shortcut = {"path": "a..b", "values": {"few": 1}}

    def told(config: dict[str, object] | None) -> set[str]:
        face = {"processes": [process], **({} if config is None else {"config": config})}
        write(directory, "bad", programs={"p": {}}, faces={"process": face}, settings={"some": shortcut})
        with pytest.raises(InvalidDocument) as raised:
            Catalogue.load(environment).component("bad")
        return {str(one).partition(": ")[2] for one in raised.value.violations}

    path = "settings.some.path: not a path at '.b'"
    assert told({"process": "p", "file": "own.conf"}) == {path}
    assert told({"process": "pp", "file": "own.conf"}) == {
        path,
        "faces.process.config.process: there is no process 'pp'; did you mean 'p'?",
    }
    assert told({"process": "p", "file": "x", "fixed": ["["]}) == {
        path,
        "faces.process.config.file: p has no file 'x'; there are own.conf",
        "faces.process.config.fixed[0]: not a path at '['",
    }
    assert told(None) == {
        path,
        "settings: there is no config in the process face that these could be about",
    }
    assert told({"process": "p"}) == {"faces.process.config: expected process and file, or object and key"}


def test_needs_come_along_and_before_and_after_is_an_order_only(environment: dict[str, str], directory: Path) -> None:
    write(directory, "a", needs=["b", "c"])
    write(directory, "b", needs=["c"])
    write(directory, "c", after=["d"])
    write(directory, "d")
    catalogue = Catalogue.load(environment)
    assert order(catalogue, "a") == ["c", "b", "a"]
    assert order(catalogue, "a", "d") == ["d", "c", "b", "a"]
    assert order(catalogue, "d", "c") == ["d", "c"]
    versions = {one.name: one.version for one in catalogue.ordered({"a": "v2.0.0", "c": "v3.0.0"})}
    assert versions == {"a": "v2.0.0", "b": "v1.0.0", "c": "v3.0.0"}
    assert catalogue.ordered({}) == ()


@pytest.mark.parametrize(
    ("links", "circle"),
    [
        ({"a": {"needs": ["b"]}, "b": {"needs": ["c"]}, "c": {"needs": ["a"]}}, "a > b > c > a"),
        ({"a": {"needs": ["b"]}, "b": {"after": ["a"]}}, "a > b > a"),
        ({"a": {"needs": ["a"]}}, "a > a"),
        ({"a": {"needs": ["b"]}, "b": {"needs": ["c"]}, "c": {"needs": ["b"]}}, "b > c > b"),
    ],
)
def test_components_that_need_each_other(
    environment: dict[str, str], directory: Path, links: dict[str, dict[str, Any]], circle: str
) -> None:
    for name, link in links.items():
        write(directory, name, **link)
    with pytest.raises(UsageError, match=f"these components need each other: {circle}$") as raised:
        Catalogue.load(environment).ordered({"a": ""})
    assert raised.value.hint


def test_a_link_to_nowhere(environment: dict[str, str], directory: Path) -> None:
    write(directory, "a", needs=["kwokk"])
    with pytest.raises(UsageError, match="no component 'kwokk' in the catalogue, which a needs") as raised:
        Catalogue.load(environment).ordered({"a": ""})
    assert raised.value.hint == "did you mean kwok?"


def test_another_version_has_no_sums(environment: dict[str, str]) -> None:
    catalogue = Catalogue.load(environment)
    pinned = catalogue.programs()["jobset-controller"]
    assert isinstance(pinned.build and pinned.build.module, GoModule)
    assert pinned.build.module.sum
    chosen = catalogue.ordered({"jobset": "v0.10.0"})
    other = catalogue.programs(chosen)["jobset-controller"]
    assert other.version == "v0.10.0"
    assert other.build is not None
    assert other.build.module == GoModule(path="sigs.k8s.io/jobset", version="v0.10.0")
    (component,) = chosen
    assert component.source is not None
    assert component.source.sum is None
    assert [one.version for one in catalogue.ordered({"jobset": "0.10.0"})] == ["v0.10.0"]
    # The others keep theirs.
    assert catalogue.programs(chosen)["kueue-controller"] == catalogue.programs()["kueue-controller"]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], {}),
        (["kueue"], {"kueue": ""}),
        (["kueue,jobset=v0.10.0"], {"kueue": "", "jobset": "v0.10.0"}),
        ([" kueue , , jobset", "volcano"], {"kueue": "", "jobset": "", "volcano": ""}),
        (["jobset=v1.0.0,jobset", "jobset=v1.0.0"], {"jobset": "v1.0.0"}),
        (["jobset", "jobset=v1.0.0"], {"jobset": "v1.0.0"}),
    ],
)
def test_what_is_wanted(texts: list[str], wanted: dict[str, str]) -> None:
    assert parse_wanted(texts) == wanted


@pytest.mark.parametrize("texts", [["jobset=v1.0.0,jobset=v2.0.0"], ["jobset=v1.0.0", "kueue,jobset=v2.0.0"]])
def test_one_component_at_two_versions(texts: list[str]) -> None:
    with pytest.raises(UsageError, match=r"--with names jobset at two versions, v1\.0\.0 and v2\.0\.0"):
        parse_wanted(texts)


@pytest.mark.parametrize(
    "text", ["=v1.0.0", "jobset=", "jobset=latest", "jobset=v1", "jobset=v1.0.0=v2", "jobset=../x"]
)
def test_what_is_no_version(text: str) -> None:
    for option in ("--with", "--without"):
        with pytest.raises(UsageError, match=f"^{option} {re.escape(text)} is not of the form"):
            parse_wanted([text], option)


def test_a_record_that_is_wrong_only_hinders_what_needs_it(environment: dict[str, str], directory: Path) -> None:
    (directory / "mine.yaml").write_text("name: mine\nfaces: 1\n")
    catalogue = Catalogue.load(environment)
    assert [one.name for one in catalogue.with_role("monitoring")] == ["kube-prometheus-stack", "prometheus"]
    assert "kueue-controller" in catalogue.programs()
    found, wrong = catalogue.sound()
    assert [one.name for one in found] == [name for name in catalogue.files if name != "mine"]
    assert [str(directory / "mine.yaml") in error.message for error in wrong] == [True]
    with pytest.raises(InvalidDocument):
        catalogue.ordered({"mine": ""})
    # But nothing else takes the place of one that is to replace ours.
    (directory / "kwok.yaml").write_text("name: kwok\nfaces: 1\n")
    with pytest.raises(InvalidDocument):
        Catalogue.load(environment).with_role("nodes")
