"""`needle keys`, `python -m web keys`: make, list and revoke the keys of a data folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from common.errors import NeedleError
from common.keys import Keys, Scope
from common.settings import Settings
from web.access import required

LAST = (
    "It was the last one: from now on the service asks nobody for a key. Make another, or start it "
    "with NEEDLE_KEYS=required."
)


def main(words: Sequence[str]) -> int:
    """Do what the words say; return the exit status."""
    options = _parser().parse_args(words)
    try:
        settings = Settings.from_env(os.environ)
        keys = Keys(settings.data_dir)
        if options.what == "make":
            key, text = keys.make(options.name, Scope(options.scope))
            print(text)
            print(f"Key {key.key_id} may {key.scope}. It is shown this once.", file=sys.stderr)
        elif options.what == "revoke":
            key = keys.revoke(options.name)
            print(f"The key {key.key_id} ('{key.name}') is good for nothing any more.")
            if not keys.every() and not required(settings):
                print(LAST, file=sys.stderr)
        else:
            for key in keys.every():
                made = time.strftime("%Y-%m-%d %H:%M", time.localtime(key.made_at))
                print(f"{key.key_id}  {key.scope:5}  {made}  {key.name}")
    except NeedleError as error:
        print(error.message, file=sys.stderr)
        return error.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="needle keys", description=__doc__)
    parts = parser.add_subparsers(dest="what", required=True)
    make = parts.add_parser("make", help="make a key and print it, this once")
    make.add_argument("name", help="whose key it is, or what for")
    make.add_argument("--scope", choices=[scope.value for scope in Scope], default="write")
    parts.add_parser("list", help="list the keys: id, scope, when made, name")
    revoke = parts.add_parser("revoke", help="take a key away")
    revoke.add_argument("name", help="its id, or its name")
    return parser
