"""Is a worker of this container alive, with its models loaded? The container's health check.

`python deploy/worker_health.py index` ends with 0 when a process of that role on this host has
said so in Redis within the last seconds (`common.beacons`), else with 1.
"""

from __future__ import annotations

import os
import socket
import sys

from common.beacons import beacon_key
from common.errors import NeedleError
from common.redis import connect, translated
from common.settings import Settings


def main(role: str) -> int:
    """Return the exit status."""
    try:
        redis = connect(Settings.from_env(os.environ).redis_url)
        with translated():
            pattern = beacon_key(role, socket.gethostname())
            return 0 if any(redis.scan_iter(pattern, count=1000)) else 1
    except NeedleError as error:
        print(error.message)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
