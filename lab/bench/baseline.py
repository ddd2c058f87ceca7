"""Another checkout of the project on the same photos, in turns with this one, both over HTTP.

    git worktree add /tmp/base COMMIT && ln -s "$PWD/.venv" /tmp/base/.venv

The other one may be of any layout: it is started by its own `machine up`, which was `stack up`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.bench.figures import BASELINE, HTTP, Run
from lab.bench.samples import Sample
from lab.bench.service import READY_TIMEOUT_S, free_port, index, members, warm
from lab.evaluation.photos import Photo
from machine.stack import Stack
from machine.stack.network import readiness
from needle import Needle

TURNS = 2
END_S = 30.0
SUPERVISORS = ("machine", "stack")
PATIENCE = {"NEEDLE_TASK_TIME_LIMIT_S": "3600"}
"""Earlier checkouts begin what the time of a task does not suffice for, and fail."""
CAPPED = "ONEDNN_MAX_CPU_ISA"
OLDER = Path(__file__).resolve().parent / "older"


def by_turns(
    checkout: Path,
    env: Mapping[str, str],
    folder: Path,
    samples: Sequence[Sample],
    profile: str,
) -> list[Run]:
    """Index parts of each sample with this checkout and with the other one, one after the other.

    Both services are up all the time; the one whose turn it is not has nothing to do.
    """
    env = {**env, **PATIENCE}
    stack = Stack(env, data_dir=folder / "this", port=free_port())
    with (
        stack,
        other(checkout, env, folder / "other") as (url, process),
        Needle(stack.base_url) as a,
    ):
        stack.wait_ready(READY_TIMEOUT_S)
        with Needle(url) as b:
            for needle in (a, b):
                warm(needle, samples[0].photos[0], [profile])
            runs = []
            for sample in samples:
                for n, part in enumerate(parts(sample, TURNS)):
                    name = f"{sample.size}-{n}"
                    mine = [child.pid for child in stack.children if child.pid]
                    theirs = descendants(process.pid)
                    runs.append(index(a, mine, HTTP, sample.size, part, profile, name))
                    runs.append(index(b, theirs, BASELINE, sample.size, part, profile, name))
    return runs


def parts(sample: Sample, turns: int) -> list[Sequence[Photo]]:
    """Return the photos in so many parts, evenly mixed; fewer where there are not enough."""
    found = [sample.photos[n::turns] for n in range(turns)]
    return [part for part in found if part]


@contextmanager
def other(
    checkout: Path, env: Mapping[str, str], folder: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the other checkout's service; yield its URL and its supervisor.

    It gets a Redis of this checkout's: the .venv may not hold the one that it looks for.

    Raises FileNotFoundError where the folder is no checkout, TimeoutError.
    """
    port = free_port()
    folder.mkdir(parents=True)
    redis = Stack({}, data_dir=folder / "redis", make_services=lambda _: ())
    with redis, (folder / "up.log").open("wb") as log:
        given = {**environment(checkout, env), "NEEDLE_REDIS_URL": str(redis.redis_url)}
        _compile(checkout)
        process = subprocess.Popen(
            [*command(checkout), "--data", str(folder / "data"), "--port", str(port)],
            cwd=checkout,
            env=_inherited() | given,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_ready(url, process, folder / "up.log")
            yield url, process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _compile(checkout: Path) -> None:
    """Compile a checkout's kernels, where it has any: they are named after its own sources."""
    if (checkout / "machine" / "setup" / "kernels.py").is_file():
        python = command(checkout)[0]
        subprocess.run([python, "-m", "machine.setup.kernels"], cwd=checkout, check=True)


def command(checkout: Path) -> list[str]:
    """Return what starts a checkout's service. Raises FileNotFoundError."""
    own = checkout / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    for module in SUPERVISORS:
        if (checkout / module / "__main__.py").is_file():
            return [python, "-m", module, "up"]
    raise FileNotFoundError(f"{checkout} is no checkout of this project")


def environment(checkout: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return what the checkout's processes get of a cap and of settings.

    One that does not know NEEDLE_PRECISION does not see the cap either: it is made to compute in
    float32 (`older/`).
    """
    settings = checkout / "common" / "settings.py"
    if CAPPED not in env or "precision:" in settings.read_text(encoding="utf-8"):
        return dict(env)
    paths = [str(OLDER), *filter(None, [env.get("PYTHONPATH")])]
    return {**env, "PYTHONPATH": os.pathsep.join(paths)}


def descendants(supervisor: int) -> list[int]:
    """Return the process groups that a supervisor has started: each of its children leads one."""
    path = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    children = [int(pid) for pid in path.read_text().split()] if path.is_file() else []
    return [pid for pid in children if members(pid)]


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while readiness(url).get("status") != "ready":
        if process.poll() is not None or time.monotonic() >= deadline:
            last = log.read_text(errors="replace").splitlines()[-5:]
            raise TimeoutError("the other checkout's service is not ready: " + " ".join(last))
        time.sleep(0.2)


def _inherited() -> dict[str, str]:
    return {name: v for name, v in os.environ.items() if not name.startswith("NEEDLE_")}
