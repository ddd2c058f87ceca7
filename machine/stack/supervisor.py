"""The supervisor: starts the service's processes in order, keeps them up, ends them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from common.settings import Settings
from machine.stack import lock, network, redis_server
from machine.stack.errors import StackError
from machine.stack.keeper import Keeper
from machine.stack.process import Child, Command, Watchdog
from machine.stack.services import Services, service_env, services

State = Mapping[str, Any]
"""What `/readyz` says: `status`, `redis`, `workers`, `models`, ..."""

POLL_S = 0.1


class Stack:
    """The whole service on one machine, as a context manager or by `start` and `stop`."""

    def __init__(
        self,
        settings_env: Mapping[str, str],
        *,
        data_dir: Path,
        port: int | None = None,
        grace_s: float = 10.0,
        on_event: Callable[[str], None] | None = None,
        make_services: Services = services,
    ) -> None:
        """Prepare a service; nothing is started or written yet.

        `settings_env` carries the `NEEDLE_*` settings; `data_dir` and `port` override theirs.
        With NEEDLE_REDIS_URL in it, that Redis is used and none is started. `grace_s` is how long
        each process may take to end; `on_event` gets a sentence when one died or was restarted.
        Raises InvalidSettings.
        """
        self.data_dir = data_dir.expanduser().absolute()
        self._env = service_env(settings_env, self.data_dir, port)
        self.settings = Settings.from_env(self._env)
        self.redis_url: str | None = None
        """Where Redis answers, once the service is started."""
        self.redis_release: str | None = None
        """Name and release of the Redis server that was started (`Valkey 9.1.2`), if one was."""
        self.base_url = network.base_url(self.settings.host, self.settings.port)
        self._grace_s = grace_s
        self._on_event = on_event or (lambda _: None)
        self._make_services = make_services
        self._children: list[Child] = []
        self._guard: Watchdog | None = None
        self._lock: IO[str] | None = None
        self._keeper: Keeper | None = None

    @property
    def children(self) -> Sequence[Child]:
        """The processes, in the order in which they were started."""
        return tuple(self._children)

    def start(self) -> None:
        """Start every process, Redis first; on any failure end those that were started.

        Raises StackError: the port or the data folder is in use, Redis is missing or fails.
        """
        if self._lock is not None:
            raise StackError("This service is up already.")
        self._lock = lock.hold(self.data_dir)
        try:
            network.check_port(self.settings.host, self.settings.port)
            self._guard = Watchdog(self._lock, self._grace_s)
            url = self._env.get("NEEDLE_REDIS_URL") or self._start_redis(self._guard)
            self.redis_url = url
            for command in self._make_services(self._env | {"NEEDLE_REDIS_URL": url}):
                self._start_child(command, self._guard)
        except BaseException:
            self.stop()
            raise

    def wait_ready(
        self, timeout_s: float = 180.0, on_state: Callable[[State], None] | None = None
    ) -> State:
        """Wait until `/readyz` says ready and return what it says; `on_state` gets each change.

        Raises StackError when a process ends meanwhile (unless `supervise` restarts it), or when
        the time is up; the error's `log` holds the process's last lines.
        """
        deadline = time.monotonic() + timeout_s
        last: State | None = None
        while True:
            self._refuse_dead()
            state = network.readiness(self.base_url)
            if state != last and on_state:
                on_state(state)
            if state.get("status") == "ready":
                return state
            if time.monotonic() >= deadline:
                raise StackError(
                    f"The service is not ready after {timeout_s:.0f} s ({_missing(state)}); "
                    f"see the logs in {self.data_dir / 'logs'}."
                )
            last = state
            time.sleep(POLL_S)

    def supervise(self) -> None:
        """From now on restart every process that ends, in the background, until `stop`.

        The pause before a restart doubles from 0.5 s to 30 s; it is forgotten once the process
        has run for a minute.
        """
        if self._keeper is None:
            self._keeper = Keeper(self._children, self._on_event)

    def stop(self) -> None:
        """End every process, web first and Redis last; kill those that outlive `grace_s`.

        May be called at any time and again. Interrupted by a KeyboardInterrupt, it kills at once.
        """
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        try:
            for tier in _tiers(self._children):
                self._end(tier)
        finally:
            for child in self._children:
                child.kill()
            self._children.clear()
            if self._guard is not None:
                self._guard.close()
                self._guard = None
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def __enter__(self) -> Stack:
        """Start the service."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the service."""
        self.stop()

    def _start_redis(self, guard: Watchdog) -> str:
        """Start Redis and return its URL."""
        server = redis_server.prepare(self.data_dir, self._env)
        self.redis_release = server.binary.release
        redis_server.wait_until_up(self._start_child(server.command, guard), server.url)
        return server.url

    def _start_child(self, command: Command, guard: Watchdog) -> Child:
        child = Child(command, self.data_dir / "logs", guard)
        self._children.append(child)
        child.start()
        return child

    def _refuse_dead(self) -> None:
        if self._lock is None:
            raise StackError("This service is not up.")
        for child in self._children:
            if self._keeper is None and not child.running:
                raise StackError(child.epitaph(), log=child.last_lines())

    def _end(self, tier: Sequence[Child]) -> None:
        for child in tier:
            child.terminate()
        deadline = time.monotonic() + self._grace_s
        for child in tier:
            child.wait(deadline)
            child.kill()


def _tiers(children: Sequence[Child]) -> list[list[Child]]:
    """Return who is ended together, in order: web, the workers, Redis."""
    workers = [c for c in children if c.name.startswith("worker")]
    last = [c for c in children if c.name == "redis"]
    return [[c for c in children if c not in workers and c not in last], workers, last]


def _missing(state: State) -> str:
    workers = state.get("workers")
    if not isinstance(workers, Mapping):
        return "the web server does not answer"
    parts = ["Redis"] if not state.get("redis", True) else []
    parts += [f"the {role} worker" for role, count in workers.items() if not count]
    return f"waiting for {' and '.join(parts)}" if parts else str(state.get("status"))
