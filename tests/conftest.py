"""What holds for every test: an environment that is not the user's, and nothing left running at the end."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import uuid
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import environment, processes
from support.cli import run_cli, stop_fork_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

collect_ignore = ["stranger"]
"""The tests of somebody else, which test_wheel.py runs with the package that is installed."""
pytest_plugins = ["support.fixtures"] if find_spec("support.fixtures") else []

_GIVEN = environment.current()
_SESSION = uuid.uuid4().hex


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Leave the user's environment before anything is imported or started."""
    # What a shell starts in the background ignores SIGINT, and so would all that tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    directory = tempfile.TemporaryDirectory(prefix="knavtool-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(directory.cleanup)
    chosen = environment.isolated(Path(directory.name), _GIVEN | environment.tool_settings(_GIVEN))
    os.environ.clear()
    os.environ.update(chosen | {environment.MARKER: _SESSION})
    environment.make_directories(os.environ)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a group on one worker: xdist 3.8 writes the group where pytest 9.2 does not look any more."""
    for item in items:
        grouped = vars(item).get("_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = type(item.id).parse(grouped)


@pytest.fixture(scope="session", autouse=True)
def _no_process_left() -> Iterator[None]:
    """Whatever a test starts must have ended when the tests have, also what has left its parent."""
    yield
    stop_fork_server()
    found = processes.carrying(environment.MARKER, _SESSION)
    left = processes.survivors(list(found), within=10)
    assert not left, "left running:\n" + "\n".join(f"  {number} {found[number]}" for number in left)


@pytest.fixture(autouse=True)
def _own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own home, kubeconfig and data."""
    chosen = environment.isolated(tmp_path / "user", os.environ)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    environment.make_directories(chosen)


@pytest.fixture
def knavtool(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Call the command line as a user does, from a directory of the test: `knavtool("nodes", "list", check=5)`."""
    work = tmp_path / "work"
    work.mkdir()
    return partial(run_cli, cwd=work)
