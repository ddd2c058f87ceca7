"""`python -m client`: index photos, search, ask how the service is."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from client.api import Needle
from client.bulk import index_all
from client.errors import NeedleClientError
from client.progress import progress_bar
from client.sheet import results_sheet
from client.show import match_rows, matches_table
from client.uploads import find_pictures

PATIENCE_S = 600.0
"""A full queue is normal while very many photos are indexed: wait for room."""
SHOWN_FAILURES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 when it did what was asked, 1 when not, 130 for Ctrl-C."""
    options = _parser().parse_args(argv)
    console = Console()
    try:
        with Needle(options.url, patience_s=PATIENCE_S) as needle:
            return int(options.run(needle, options, console))
    except (NeedleClientError, OSError) as exc:
        print(f"needle: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nneedle: interrupted; photos that were sent are indexed all the same.")
        return 130


def index(needle: Needle, options: argparse.Namespace, console: Console) -> int:
    """Index files and folders; 1 when a photo failed."""
    paths = find_pictures(options.paths)
    if not paths:
        raise FileNotFoundError("There are no pictures in what was named.")
    with progress_bar(console, len(paths)) as told:
        outcome = index_all(needle, paths, collection=options.collection, on_progress=told)
    for failure in outcome.failures[:SHOWN_FAILURES]:
        console.print(f"[red]failed[/] {failure.name}: {failure.reason}", highlight=False)
    console.print(
        f"{outcome.indexed} indexed, {outcome.unchanged} unchanged, {len(outcome.failures)} failed"
    )
    return 1 if outcome.failures else 0


def search(needle: Needle, options: argparse.Namespace, console: Console) -> int:
    """Search for a picture; 1 when nothing was found."""
    result = needle.search(options.file, limit=options.limit, collection=options.collection)
    console.print(matches_table(result.matches))
    if options.out and result.matches:
        rows = match_rows(needle, options.file, result.matches, options.collection)
        results_sheet(rows, title=f"Where is {options.file.name}?").save(options.out)
        console.print(f"Drawn in {options.out}")
    return 0 if result.matches else 1


def status(needle: Needle, options: argparse.Namespace, console: Console) -> int:
    """Show what the service says of itself; 1 when it is not ready."""
    state = needle.ready()
    table = Table("", "", show_header=False)
    for name, value in state.items():
        table.add_row(name, str(value))
    console.print(table)
    return 0 if state.get("status") == "ready" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m client", description=__doc__)
    port = os.environ.get("NEEDLE_PORT") or "8080"
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the service's address")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--collection", help="another collection than the default one")

    command = commands.add_parser("index", parents=[shared], help="index photos and folders")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    command.set_defaults(run=index)
    command = commands.add_parser("search", parents=[shared], help="find a small picture")
    command.add_argument("file", type=Path)
    command.add_argument("--limit", type=int, default=10, help="the most photos to show")
    command.add_argument("--out", type=Path, help="draw the photos and boxes into this file")
    command.set_defaults(run=search)
    command = commands.add_parser("status", help="is the service ready, and with which models")
    command.set_defaults(run=status)
    return parser


if __name__ == "__main__":
    sys.exit(main())
