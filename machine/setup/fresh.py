"""`make fresh`: the README's two commands on bare machines, and a table of what happened.

Each machine is a root folder that mmdebstrap makes: Debian with the few packages that README asks
for and nothing else. A clone of HEAD goes into it, the commands run there as root with an empty
home, in namespaces of their own (nothing of them outlives their command), and the root is removed.
Needs root and mmdebstrap on Debian or Ubuntu, and 20 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from machine.setup.fresh_table import REPO, Machine, Ran, Row, table

ROOTS = Path("/var/tmp/needle-fresh")  # noqa: S108 (root's: it makes whole machines in it)
NEEDED_BYTES = 20 * 10**9
STEP_S = 3600.0
PORT = 8080
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HANDED_ON = re.compile(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT)|\w+_proxy|\w+_PROXY"
    r"|ONEDNN_MAX_CPU_ISA|ATEN_CPU_CAPABILITY|NEEDLE_PRECISION"
)
"""What a root gets of this machine's environment: how to reach the package index, and caps on the
CPU's instructions. Settings of Needle stay outside: a newcomer has none."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ENTER = """
mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
mount --rbind /sys "$1/sys" && exec chroot "$1" sh -c "$2"
"""


class Stop(Exception):
    """This machine cannot try it; the message is the sentence for the user."""


MACHINES = (
    Machine("Debian 12", "bookworm"),
    Machine("Debian 13", "trixie"),
    Machine("Debian testing", "testing"),
    Machine(
        "Debian 12 without venv",
        "bookworm",
        packages=("python3", "make", "ca-certificates"),
        commands=("make demo KEEP=0",),
    ),
)


def main() -> int:
    """Try the machines one after another; 1 where a command failed on one."""
    parser = argparse.ArgumentParser(prog="make fresh", description=__doc__)
    parser.add_argument("--machine", action="append", metavar="NAME", help="only this one; again")
    parser.add_argument("--command", help="instead of make demo and make test")
    parser.add_argument("--dir", type=Path, default=ROOTS, help="roots")
    parser.add_argument("--out", type=Path, default=REPO / "data" / "fresh", help="logs and table")
    parser.add_argument("--keep", action="store_true", help="do not remove the roots")
    options = parser.parse_args()
    try:
        check(options.dir)
        machines = chosen(options.machine, options.command)
        options.out.mkdir(parents=True, exist_ok=True)
        rows: list[Row] = []
        for machine in machines:
            rows.append(try_on(machine, options.dir, options.out, keep=options.keep))
            (options.out / "table.md").write_text(table(rows))
    except Stop as exc:
        print(f"needle: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nneedle: interrupted; what is left lies in {options.dir}.", file=sys.stderr)
        return 130
    print("\n" + table(rows))
    print(f"The logs lie in {options.out}.")
    return 0 if all(row.well for row in rows) else 1


def check(folder: Path) -> None:
    """Raise Stop where roots cannot be made here."""
    if os.geteuid() != 0:
        raise Stop("`make fresh` makes root folders of whole machines: run it as root.")
    for program in ("mmdebstrap", "unshare"):
        if shutil.which(program) is None:
            raise Stop(f"`make fresh` needs {program} (on Debian: apt-get install {program}).")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))  # the roots share this machine's network
        except OSError:
            taken = f"port {PORT}, which `make demo` takes, is in use: end what uses it."
            raise Stop(taken) from None
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise Stop(
            f"{folder} has {free / 1e9:.0f} GB free; {NEEDED_BYTES / 1e9:.0f} GB are needed: name "
            'a larger place with `make fresh ARGS="--dir FOLDER"`.'
        )


def chosen(names: Sequence[str] | None, command: str | None) -> list[Machine]:
    """Return the machines that were asked for. Raises Stop where a name is none."""
    known = {machine.name: machine for machine in MACHINES}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise Stop(f"no machine is called {unknown.pop()!r}; there are {', '.join(known)}.")
    machines = [known[name] for name in names or known]
    if command is None:
        return machines
    return [Machine(m.name, m.suite, m.packages, (command,)) for m in machines]


def try_on(machine: Machine, folder: Path, out: Path, *, keep: bool) -> Row:
    """Make a machine, run its commands there and say what happened."""
    row = Row(machine)
    stem = machine.name.lower().replace(" ", "-")
    root = folder / stem
    shutil.rmtree(root, ignore_errors=True)
    try:
        started = time.monotonic()
        make_root(machine, root, out / f"{stem}-root.log")
        row.root_s = time.monotonic() - started
        env = environment(os.environ)
        version = enter(root, env, "python3 --version", out / f"{stem}-python.log")
        row.python = version.said.strip().removeprefix("Python ")
        for number, command in enumerate(machine.commands, 1):
            print(f"== {machine.name}: {command}", flush=True)
            log = out / f"{stem}-{number}.log"
            ran = enter(root, env, f"cd /root/needle && {command}", log)
            size_mb = megabytes(root / "root" / "needle" / ".venv")
            row.ran[command] = replace(ran, environment_mb=size_mb)
            print(f"   {row.ran[command].result} ({row.ran[command].seconds:.0f} s)", flush=True)
    except Stop as exc:
        row.fault = str(exc)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
    return row


def make_root(machine: Machine, root: Path, log: Path) -> None:
    """Make the root folder of a machine, with a clone of HEAD in it. Raises Stop."""
    print(f"== {machine.name}: making {root}", flush=True)
    source, trust = mirror(), []
    options = "[trusted=yes] " if machine.suite == "testing" else ""
    if options:
        # The keys that sign Debian's next release are newer than those of the one that runs here.
        # What is installed there never leaves its folder.
        trust = ["--aptopt=Acquire::Check-Valid-Until false"]
    command = ["mmdebstrap", "--mode=root", "--variant=apt", *trust]
    command += ["--include=" + ",".join(machine.packages), machine.suite, str(root)]
    command += [f"deb {options}{source} {machine.suite} main"]
    with log.open("w") as said:
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Stop(f"mmdebstrap ended with status {done.returncode}; see {log}")
    clone = ["git", "clone", "-q", "--no-hardlinks", str(REPO), str(root / "root" / "needle")]
    subprocess.run(clone, check=True)
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if bundle:  # an index behind a proxy with a certificate of its own
        shutil.copyfile(bundle, root / CERTIFICATES.lstrip("/"))


def mirror() -> str:
    """Return the address of this machine's own source of Debian's packages. Raises Stop."""
    fields = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]
    done = subprocess.run(fields, capture_output=True, text=True)
    addresses = done.stdout.split()
    if not addresses:
        raise Stop("apt knows no source of Debian's packages; run apt-get update first.")
    return addresses[0]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a machine's user: nothing, but how to reach the package index."""
    env = {name: value for name, value in given.items() if HANDED_ON.fullmatch(name)}
    if "PIP_CERT" in given or "SSL_CERT_FILE" in given:
        env |= {"PIP_CERT": CERTIFICATES, "SSL_CERT_FILE": CERTIFICATES}
    return env | {"HOME": "/root", "PATH": PATH, "LANG": "C.UTF-8", "TERM": "dumb"}


def enter(root: Path, env: Mapping[str, str], command: str, log: Path) -> Ran:
    """Run a command in a root; every process of it ends with it. Its output goes to `log`."""
    line = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    line += ["sh", "-c", ENTER, "sh", str(root), command]
    started = time.monotonic()
    with log.open("w") as said:
        try:
            status = subprocess.run(
                line,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=STEP_S,
            ).returncode
        except subprocess.TimeoutExpired:
            status = 124
    return Ran(status, time.monotonic() - started, log.read_text(errors="replace"))


def megabytes(folder: Path) -> int:
    """Return what a folder takes on the disk, in MB of a million bytes; 0 where there is none."""
    files = (path.lstat() for path in folder.rglob("*"))
    return sum(facts.st_blocks * 512 for facts in files) // 10**6


if __name__ == "__main__":
    sys.exit(main())
