"""How is the worker of this container? Its health check, and Kubernetes' probes.

`python deploy/worker_health.py index` ends with 0 when a process of that role on this host has said
in Redis within the last seconds that its models are loaded (`common.beacons`), else with 1. With
`--moves` it asks nothing of Redis: only whether the process has moved within the last minute
(`common.beats`), so that no worker is ended because Redis is away.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Sequence

from common.beacons import beacon_key
from common.beats import beat_file, last_beat
from common.errors import NeedleError
from common.redis import connect, translated
from common.settings import Settings

STILL_S = 60.0


def main(words: Sequence[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("role")
    parser.add_argument("--moves", action="store_true", help="ask only whether the process moves")
    asked = parser.parse_args(words)
    try:
        settings = Settings.from_env(os.environ)
        return 0 if (moves if asked.moves else is_ready)(settings, asked.role) else 1
    except NeedleError as error:
        print(error.message)
        return 1


def is_ready(settings: Settings, role: str) -> bool:
    """Tell whether its models are loaded and it reaches Redis. Raises BrokerUnavailable."""
    redis = connect(settings.redis_url)
    with translated():
        return any(redis.scan_iter(beacon_key(role, socket.gethostname()), count=1000))


def moves(settings: Settings, role: str) -> bool:
    """Tell whether the process has moved of late."""
    at = last_beat(beat_file(settings.data_dir, role))
    # A time to come was written before the host started anew.
    return at is not None and 0 <= time.monotonic() - at < STILL_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
