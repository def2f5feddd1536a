"""`knavtool run --web`: the report in a browser while the run goes on, and the pulse on its terminal."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, visited
from support.cli import SCRIPT
from support.live_run import live_run
from support.run_cluster import RunCluster
from support.terminal import Typist, terminal
from support.workflows import task, write

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The browser is closed before fixtures ask the cluster: it keeps an event loop of this thread running.
pytestmark = pytest.mark.xdist_group("browser")

TERMINAL = {"TERM": "xterm-256color"}
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
URL = re.compile(r"live report: (http://127\.0\.0\.1:\d+/#token=\S+)")


def url(said: str) -> str:
    found = URL.search(said)
    assert found is not None, said
    return found[1]


def until_measured(page: Page, name: str, value: str) -> None:
    """Wait until the page shows this number, whatever its unit."""
    page.wait_for_function(
        "([name, value]) => document.querySelector(`#measures [data-measure='${name}']`)"
        "?.textContent.split(/\\s/)[0] === value",
        arg=[name, value],
        timeout=60_000,
    )


def until_it_is(page: Page, kind: str) -> str:
    """Wait until the page says that things are so; returns its words."""
    page.wait_for_function("kind => document.querySelector('#live').className === kind", arg=kind, timeout=60_000)
    return page.locator("#live").inner_text()


def shown(page: Page) -> dict[str, str]:
    """Every measure in the page."""
    found: dict[str, str] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('#measures [data-measure]')]"
        ".map((one) => [one.dataset.measure, one.textContent]))"
    )
    return found


def rows(file: Path) -> int:
    """How many rows a CSV has."""
    with file.open() as stream:
        return len(list(csv.DictReader(stream)))


def pausing(cluster: RunCluster) -> Path:
    """A run of two Jobs, each followed by a pause."""
    return cluster.write(
        cluster.submit(gpu=4, id_="one"),
        task("Pause", "first", timeout="5m"),
        cluster.submit(gpu=4, pods=2, id_="two"),
        task("CheckPod", "there", refTaskId="two", status="Running", timeout="60s"),
        task("Pause", "second", timeout="5m"),
    )


def press_enter(typist: Typist, task_: str) -> None:
    """Answer the pause of a task once it asks."""
    typist.until(f"{task_}\x1b[2m Pause")
    typist.forget()
    typist.until("press Enter")
    typist.type("")


@pytest.mark.cluster
def test_the_page_follows_the_run_and_is_its_report_at_the_end(run_cluster: RunCluster, tmp_path: Path) -> None:
    report = tmp_path / "report"
    command = ("run", pausing(run_cluster), "--web", "--report", report)
    with chromium() as browser, terminal(*command, env=TERMINAL) as typist:
        typist.until("#token=")
        typist.until("\n")
        with visited(browser, url(typist.seen)) as page:
            assert "token" not in page.url
            until_measured(page, "pods.bound", "1")
            assert page.locator(".verdict").inner_text().split()[-1] == "Running"
            assert "Live, renewed every" in until_it_is(page, "live")
            assert page.title().startswith("● ")
            page.locator("#occupancy summary").click()
            typist.until("of 16")
            terminal_shows = STYLE.sub("", typist.seen)
            assert "\nGPU occupancy    25%  " in terminal_shows
            assert "\npending pods       0  " in terminal_shows
            assert "\nbindings/s " in terminal_shows
            page.locator("#data summary", has_text="Pods").first.click()
            with page.expect_download() as saved:
                page.locator("[data-csv=pods]").click()
            assert rows(saved.value.path()) == 1
            page.reload()  # the token is kept for the tab
            until_measured(page, "pods.bound", "1")
            page.locator("#occupancy summary").click()

            press_enter(typist, "first")
            until_measured(page, "pods.bound", "3")
            assert page.locator("#occupancy details").get_attribute("open") is not None
            assert page.locator("#occupancy .plot svg").count() == 1

            press_enter(typist, "second")
            said = until_it_is(page, "ended")
            assert said == f"The run has ended; the connection is closed. The whole report is in {report}."
            assert typist.end() == 0
            assert page.locator(".verdict").inner_text().split()[-1] == "Passed"
            measures = json.loads((report / "report.json").read_text())["measures"]
            assert shown(page)["pods.bound"].split() == ["3", "pods"]
            page.locator("#data summary", has_text="Pods").first.click()
            with page.expect_download() as saved:  # from what the page holds
                page.locator("[data-csv=pods]").click()
            assert rows(saved.value.path()) == 3
            live = shown(page)
        with visited(browser, (report / "report.html").as_uri()) as page:
            assert shown(page) == live
        assert measures


@pytest.mark.cluster
def test_an_interrupted_run_tells_the_page_and_ends(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit(), task("Sleep", timeout="1h"))
    with chromium() as browser, live_run(workflow, "--web", "--cleanup", env={}, cwd=tmp_path) as run:
        run.until("#token=")
        run.until("\n")
        with visited(browser, url(run.said)) as page:
            until_measured(page, "pods.bound", "1")
            run.interrupt()
            assert "The run has ended" in until_it_is(page, "ended")
            assert page.locator(".verdict").inner_text().split()[-1] == "Failed"
        run.finish(check=130)
    assert not list(tmp_path.glob("*/recording.jsonl.gz"))


@pytest.mark.cluster
def test_one_who_only_listens_does_not_keep_the_run_from_ending(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit())
    with live_run(workflow, "--web-listen", "127.0.0.1:0", "--cleanup", env={}, cwd=tmp_path) as run:
        run.until("#token=")
        run.until("\n")
        host, port = re.search(r"http://(\S+):(\d+)/", run.said).groups()  # type: ignore[union-attr]
        with socket.create_connection((host, int(port))) as deaf:
            token = url(run.said).partition("token=")[2]
            deaf.sendall(f"GET /events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            run.finish()


@pytest.mark.cluster
def test_a_wrong_token_shows_nothing(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit(), task("Sleep", timeout="1h"))
    with chromium() as browser, live_run(workflow, "--web", env={}, cwd=tmp_path) as run:
        run.until("#token=")
        run.until("\n")
        page = browser.new_page()
        page.goto(url(run.said)[:-1])
        assert "The token is wrong" in until_it_is(page, "lost")
        assert page.locator(".verdict").count() == 0
        page.close()
        run.interrupt()
        run.finish(check=130)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--web", "--record", "off"], "--web needs what --record off leaves out"),
        (["--web", "--server", "http://127.0.0.1:1"], "--web does not work with --server"),
        (["--web-listen", "nowhere"], "--web-listen 127.0.0.1:nowhere: expected HOST:PORT"),
        (["--web-listen", "127.0.0.1:99999"], "--web-listen 127.0.0.1:99999: expected HOST:PORT"),
    ],
)
def test_what_does_not_go_together_is_refused(
    options: list[str], message: str, knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    done = knavtool("run", write(tmp_path, task("Sleep", timeout="1ms")), *options, check=2)
    assert message in done.stderr


def test_a_port_that_is_taken_is_told(knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        workflow = write(tmp_path, task("Sleep", timeout="1ms"))
        done = knavtool("run", workflow, "--web-listen", str(port), check=2)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--web-listen names another address" in done.stderr


@pytest.mark.cluster
def test_a_run_on_a_server_has_a_page(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(
        run_cluster.submit(run="1s"), task("CheckPod", refTaskId="job", status="Succeeded", timeout="60s")
    )
    client = {"KNAVTOOL_TOKEN": "a-token", "KNAVTOOL_KUBECONFIG": "", "KNAVTOOL_CONTEXT": ""}
    command = [str(SCRIPT), "serve", "--listen", "127.0.0.1:0"]
    environment = os.environ | {"KNAVTOOL_TOKEN": "a-token", "TMPDIR": str(tmp_path)}
    with chromium() as browser, subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            address = next(found[1] for line in server.stderr if (found := re.search(r"serving (\S+),", line)))
            run_cluster.run("run", workflow, "--server", address, "--cleanup", env=client)
            context = browser.new_context()
            asked = context.request.get(f"{address}/runs", headers={"Authorization": "Bearer a-token"})
            (run,) = asked.json()
            with visited(browser, f"{address}/runs/{run['id']}/live#token=a-token") as page:
                assert until_it_is(page, "ended") == "The run has ended; this page holds the whole report."
                assert page.url == f"{address}/runs/{run['id']}/live"
                assert page.locator(".verdict").inner_text().split()[-1] == "Passed"
                until_measured(page, "pods.ended", "1")
            context.close()
        finally:
            server.terminate()
    assert server.returncode == 0
    assert not list(tmp_path.glob("knavtool-serve-*"))
