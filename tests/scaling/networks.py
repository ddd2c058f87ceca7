"""Network namespaces: machines that are none, joined by one bridge."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

BRIDGE, OWN = "needle0", "10.77.0.1"


def ip(*words: str, check: bool = True) -> None:
    """Run the command `ip`."""
    subprocess.run(["ip", *words], check=check, stderr=None if check else subprocess.DEVNULL)


@contextmanager
def bridge() -> Iterator[None]:
    """Have a bridge with this machine's own address on it; what a former run left is removed."""
    ip("link", "del", BRIDGE, check=False)
    ip("link", "add", BRIDGE, "type", "bridge")
    try:
        ip("addr", "add", f"{OWN}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        yield
    finally:
        ip("link", "del", BRIDGE, check=False)


@contextmanager
def machine(number: int) -> Iterator[list[str]]:
    """Make the network of a machine of its own; yield what goes before a command to run there."""
    name, outer = f"needle{number}", f"needle-v{number}"
    ip("netns", "del", name, check=False)
    ip("netns", "add", name)
    try:
        ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", outer, "master", BRIDGE, "up")
        for words in (
            ("addr", "add", f"10.77.0.{number + 10}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", name, *words)
        yield ["ip", "netns", "exec", name]
    finally:
        ip("netns", "del", name, check=False)


def cut(number: int) -> None:
    """Cut the machine's cable; `join` mends it."""
    ip("link", "set", f"needle-v{number}", "down")


def join(number: int) -> None:
    """Mend the cable."""
    ip("link", "set", f"needle-v{number}", "up")
