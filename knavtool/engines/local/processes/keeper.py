"""Keeps one process of a local cluster running: `python -I -S keeper.py SPEC.json`, started by `kept.py`.

It starts the process, starts it again whenever it ends, and on SIGTERM ends it and itself. The process has the keeper's
environment, directory and umask; what both of them say goes to stderr, which is the log. Stdout is a pipe on which the
number of the first process is told. If the keeper is killed, the kernel kills the process.

Only the standard library, and little of it: one keeper per process stays in memory.
"""

import ctypes
import json
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl
_CANNOT_START = 127  # what a shell says of a program that it cannot start
_FOREVER = 1e9


class Stopped(Exception):
    """SIGTERM has come."""


class Keeper:
    """Keeps the process `argv`; SIGTERM and SIGCHLD have to be blocked, because it waits for them.

    Before each new start it runs the commands `before_restart`, each for `command_within` seconds at most. The pause
    before a new start is `first_pause` seconds if the process ran for `steady` seconds, otherwise twice the last one.
    """

    def __init__(
        self,
        *,
        name: str,
        argv: list[str],
        before_restart: list[list[str]],
        pid_file: str,
        state_file: str,
        grace: float,
        first_pause: float,
        longest_pause: float,
        steady: float,
        command_within: float,
    ) -> None:
        self.name, self.argv, self.before_restart = name, argv, before_restart
        self.pid_file, self.state_file = pid_file, state_file
        self.grace, self.command_within = grace, command_within
        self.first_pause, self.longest_pause, self.steady = first_pause, longest_pause, steady
        self.child = 0  # the process, or one of the commands
        self.state: dict[str, object] = {"keeper": os.getpid(), "restarts": 0, "last_exit": None}

    def keep(self) -> None:
        """Start the process and keep it until SIGTERM comes."""
        pause, restarts = 0.0, 0
        try:
            self._start(restarts)
            _tell(str(self.child))
            while True:
                started = time.monotonic()
                code = self._wait()
                lasted = time.monotonic() - started
                pause = min(2 * pause, self.longest_pause) if pause and lasted < self.steady else self.first_pause
                self._note(code)
                _log(f"{self.name} {_told(code)} after {lasted:.1f} s; it is started again in {pause:g} s")
                if signal.sigtimedwait({signal.SIGTERM}, pause):
                    return
                for command in self.before_restart:
                    self._run(command)
                restarts += 1
                self._start(restarts)
        except Stopped:
            self._end()
        finally:
            _remove(self.pid_file)

    def _start(self, restarts: int) -> None:
        self.child = _spawn(self.argv)
        _write(self.pid_file, str(self.child))
        self._write_state(child=self.child, since=time.time(), restarts=restarts)

    def _note(self, code: int | None) -> None:
        _remove(self.pid_file)
        self._write_state(child=None, last_exit={"code": code, "at": time.time()})

    def _write_state(self, **changes: object) -> None:
        self.state |= changes
        _write(self.state_file, json.dumps(self.state))

    def _run(self, command: list[str]) -> None:
        """Run a command; that it fails is no reason not to start the process again."""
        self.child = _spawn(command)
        code = self._wait(self.command_within)
        if code is None:
            self._end()
        if code != 0:
            _log(f"{command[0]} {_told(code)}")

    def _wait(self, within: float = _FOREVER, *, stoppable: bool = True) -> int | None:
        """The child's exit code, negative for a signal, None if it does not end within so many seconds."""
        signals = {signal.SIGCHLD, signal.SIGTERM} if stoppable else {signal.SIGCHLD}
        deadline = time.monotonic() + within
        while True:
            number, status = os.waitpid(self.child, os.WNOHANG)
            if number:
                self.child = 0
                return os.waitstatus_to_exitcode(status)
            came = signal.sigtimedwait(signals, max(0.0, deadline - time.monotonic()))
            if came is None:
                return None
            if came.si_signo == signal.SIGTERM:
                raise Stopped

    def _end(self) -> None:
        """End the child: SIGTERM, and SIGKILL if that does not help."""
        if self.child:
            os.kill(self.child, signal.SIGTERM)
            if self._wait(self.grace, stoppable=False) is None:
                os.kill(self.child, signal.SIGKILL)
                self._wait(stoppable=False)


def _spawn(argv: list[str]) -> int:
    """Start a program in a session of its own; returns its number."""
    keeper = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:  # otherwise it died before it was said that the child dies with it
            os.setsid()
            os.dup2(2, 1)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execv(argv[0], argv)  # noqa: S606 - that there is no shell is meant
    except OSError as error:
        _log(f"{argv[0]} cannot be started: {error.strerror}")
    finally:
        os._exit(_CANNOT_START)


def _told(code: int | None) -> str:
    if code is None:
        return "did not end in time"
    return f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"


def _write(path: str, text: str) -> None:
    """Write a file whole; neither a full disk nor a directory that is gone may end the process.

    Not by `atomic_write`, which is outside the standard library and needs more of it. This process writes one file at
    a time, so its number is enough for a name of its own beside that of an earlier keeper which still ends.
    """
    new = f"{path}.{os.getpid()}.new"
    try:
        with open(new, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, path)
    except OSError as error:
        _log(f"cannot write {path}: {error.strerror}")
        _remove(new)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # it is gone already


def _log(line: str) -> None:
    try:
        os.write(2, f"keeper: {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n".encode())
    except OSError:
        return  # the disk is full


def _tell(line: str) -> None:
    """Say this to who started the keeper, and hang up."""
    try:
        os.write(1, line.encode())
    except BrokenPipeError:
        _log("nobody waits for the start any more")
    os.dup2(2, 1)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a starter that ignores it would leave us no exit codes
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    with open(sys.argv[1], encoding="utf-8") as spec:
        Keeper(**json.load(spec)).keep()
