"""Clocks that are set: as those see it who ask Redis, and as every process of a service does."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common.clock import _KEY, steady_s
from common.redis import Client

_SOURCE = Path(__file__).parent / "chaos" / "set_clock.c"
HINT = "a clock is set on Linux, with a C compiler (on Debian: apt-get install gcc libc6-dev)"


def set_clock(redis: Client, by_s: float) -> None:
    """Have Redis's clock have been set forward, or back, since anybody last asked for the time.

    Nobody can set it here. So the last answer is moved the other way, which comes to the same but
    for the keys that expire: no test with this says anything of them.
    """
    steady_s(redis)
    told = float(redis.hget(_KEY, "told"))
    redis.hset(_KEY, "told", told - by_s)


@dataclass(frozen=True)
class ProcessClock:
    """The time of day of the processes that are started with `env`, Redis among them."""

    library: Path
    file: Path

    @classmethod
    def made(cls, folder: Path) -> ProcessClock | None:
        """Return a clock that is right for now, None where this machine cannot make one."""
        compiler = shutil.which("cc")
        if compiler is None or sys.platform != "linux":
            return None
        clock = cls(folder / "set_clock.so", folder / "set_clock")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(clock.library), str(_SOURCE)]
        subprocess.run(command, check=True, capture_output=True)
        clock.file.write_bytes(struct.pack("=q", 0))
        return clock

    @property
    def env(self) -> dict[str, str]:
        """The environment by which processes go by this clock."""
        return {"LD_PRELOAD": str(self.library), "SET_CLOCK_FILE": str(self.file)}

    def set(self, off_s: int) -> None:
        """Set it so many seconds before, or behind, the true time."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("=q", off_s))


def kept_in(redis: Client) -> list[str]:
    """Return every key of Redis but that of the clock, which goes on whatever is refused."""
    return sorted(set(redis.keys("*")) - {_KEY})
