"""`python -m machine up`: the whole service in the foreground, until Ctrl-C or TERM.

`python -m machine restore FILE` makes a data folder of a backup.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from common.errors import NeedleError
from machine.restoring import restore
from machine.stack.services import Services, services
from machine.stack.signals import as_interrupt
from machine.stack.supervisor import Stack, State

MOST_WORKERS = 64
READY_TIMEOUT_S = 600.0
"""Long, because the first start of a pack from the hub downloads its weights."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service; return the exit status."""
    options = _parser().parse_args(argv)
    with as_interrupt():
        try:
            if options.command == "restore":
                _restore(options.file, options.data)
            else:
                many = partial(services, index=options.index, search=options.search)
                _up(options.data, options.port, many)
        except NeedleError as exc:
            print(f"needle: {exc.message}", file=sys.stderr)
            return exc.exit_status
        except KeyboardInterrupt:
            print("\nEverything is stopped.")
    return 0


def _up(data_dir: Path, port: int | None, many: Services) -> None:
    stack = Stack(os.environ, data_dir=data_dir, port=port, on_event=_report, make_services=many)
    try:
        stack.start()
        print(f"Starting in {stack.data_dir} ...", flush=True)
        state = stack.wait_ready(READY_TIMEOUT_S)
        stack.supervise()
        parts = ", ".join(filter(None, (_pack(state), stack.redis_release)))
        print(f"Needle is ready at {stack.base_url} ({parts}); Ctrl-C ends it.", flush=True)
        threading.Event().wait()
    finally:
        stack.stop()


def _restore(file: Path, data_dir: Path) -> None:
    head = restore(file, data_dir, os.environ)
    collections = "collection" if head.collections == 1 else "collections"
    print(f"Images in {data_dir}: {head.images:,}, in {head.collections:,} {collections}.")
    if head.image_store is not None:
        print(f"The images are in {head.image_store}: start with that as NEEDLE_IMAGE_STORE.")
    if not head.has_vectors:
        print("The backup has no points: start the service, then `needle verify --repair`.")


def _pack(state: State) -> str:
    models = state.get("models")
    return f"model pack {models['name']}" if isinstance(models, dict) else "no models yet"


def _report(sentence: str) -> None:
    with suppress(OSError):  # a closed terminal is no reason to stop looking after the service
        print(f"needle: {sentence}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m machine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the whole service until Ctrl-C")
    data_dir = os.environ.get("NEEDLE_DATA_DIR") or "data"
    up.add_argument("--data", type=Path, default=Path(data_dir), help="folder of all data")
    up.add_argument("--port", type=int, default=None, help="port (default: NEEDLE_PORT, else 8080)")
    for role in ("index", "search"):
        about = f"workers of the role {role}; several need a Qdrant server (default: 1)"
        up.add_argument(f"--{role}", type=_count, default=1, metavar="N", help=about)
    back = commands.add_parser("restore", help="make a data folder of a backup")
    back.add_argument("file", type=Path)
    back.add_argument("--data", type=Path, default=Path(data_dir), help="the new folder")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_WORKERS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
