"""Keep processes running, and stop them together."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dev.stack import StackError
from dev.stack.log import Log
from dev.stack.process import kill_group

Process = subprocess.Popen[bytes]

QUICK_SECONDS = 10.0
QUICK_DEATHS = 5
_TICK = 0.05


class Interrupted(Exception):
    """The user asked for the stop while something was starting."""


@dataclass
class Child:
    """A process that should be running. `spawn` starts it with its output on a pipe."""

    name: str
    spawn: Callable[[], Process]
    stop_signal: signal.Signals = signal.SIGTERM
    # Services that the others write to: stopped after them, with more time.
    last: bool = False
    process: Process | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    quick_deaths: int = 0

    @property
    def running(self) -> Process | None:
        return self.process if self.process is not None and self.process.poll() is None else None


@dataclass
class Supervisor:
    log: Log
    children: list[Child] = field(default_factory=list)
    interrupts: int = 0
    first_delay: float = 0.5
    stop_seconds: float = 4  # time for a child to end by itself
    _interrupted_at: float = 0.0

    def listen(self) -> None:
        """Handle Ctrl-C, SIGTERM and a closed terminal: the first asks for the stop, the second for a faster one."""
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, self._interrupt)

    def _interrupt(self, number: int, frame: object) -> None:
        # One Ctrl-C can arrive twice: from the terminal, and passed on by `make`.
        now = time.monotonic()
        if now - self._interrupted_at > 0.5:
            self.interrupts += 1
            self._interrupted_at = now

    def pause(self) -> None:
        """Wait for a moment during the start. Raises Interrupted if the user asked for the stop."""
        time.sleep(_TICK)
        if self.interrupts:
            raise Interrupted

    def start(self, child: Child) -> Process:
        self.children.append(child)
        return self._spawn(child)

    def run(self, name: str, spawn: Callable[[], Process]) -> None:
        """Run a step that has to succeed before the next. Raises StackError if it fails."""
        process = spawn()
        assert process.stdout is not None  # noqa: S101  spawned with a pipe
        output = self.log.follow(name, process.stdout)
        try:
            while process.poll() is None:
                self.pause()
                self.revive()
        finally:
            if process.poll() is None:
                kill_group(process)
                process.wait()
        output.join(2)
        if process.returncode != 0:
            raise StackError(f"`{name}` ended with code {process.returncode}; its words are above.")

    def watch(self) -> None:
        """Restart processes that die, until the user asks for the stop. Raises StackError if one keeps dying."""
        while not self.interrupts:
            self.revive()
            time.sleep(_TICK)

    def revive(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.running:
                if now - child.started_at > QUICK_SECONDS:
                    child.quick_deaths = 0
            elif child.process is not None:
                self._note_death(child, now)
            elif now >= child.due_at:
                self._spawn(child)

    def _note_death(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101  the caller saw it die
        code = child.process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        child.quick_deaths = child.quick_deaths + 1 if now - child.started_at <= QUICK_SECONDS else 0
        kill_group(child.process)  # whatever it started
        child.process = None
        if child.quick_deaths >= QUICK_DEATHS:
            raise StackError(
                f"{child.name} {how}, the {QUICK_DEATHS}th time within seconds of its start. "
                f"Everything is stopped; the reason stands in its last lines above."
            )
        delay = self.first_delay * 2 ** max(child.quick_deaths - 1, 0)
        child.due_at = now + delay
        self.log.say(f"{child.name} {how}; starting it again in {delay:g} s.")

    def _spawn(self, child: Child) -> Process:
        child.process = child.spawn()
        child.started_at = time.monotonic()
        if child.process.stdout is not None:
            self.log.follow(child.name, child.process.stdout)
        return child.process

    def stop(self) -> None:
        """Stop everything: first the processes that use the services, then the services."""
        first = [child for child in self.children if not child.last]
        self._stop(first, harder=((signal.SIGKILL, 2),), seconds=self.stop_seconds)
        harder = ((signal.SIGQUIT, 5), (signal.SIGKILL, 2))
        self._stop([child for child in self.children if child.last], harder=harder, seconds=20)

    def _stop(self, children: list[Child], *, harder: Sequence[tuple[signal.Signals, float]], seconds: float) -> None:
        stopping = [(child, process) for child in children if (process := child.running)]
        for child, process in stopping:
            process.send_signal(child.stop_signal)
        self._wait(stopping, seconds, hurry=True)
        for kill_signal, more in harder:
            for _, process in stopping:
                if process.poll() is None:
                    process.send_signal(kill_signal)
            self._wait(stopping, more, hurry=False)
        for _, process in stopping:
            kill_group(process)

    def _wait(self, stopping: list[tuple[Child, Process]], seconds: float, *, hurry: bool) -> None:
        deadline = time.monotonic() + seconds
        while any(process.poll() is None for _, process in stopping) and time.monotonic() < deadline:
            if hurry and self.interrupts > 1:
                return
            time.sleep(_TICK)
