"""`python3 -m machine.setup.secrets`: passwords for the Redis and the Qdrant of Docker Compose.

They go into `.env`, which Compose reads, and stay as they are once they are there. Standard library
only: it runs where nothing is installed.
"""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

NAMES = ("REDIS_PASSWORD", "NEEDLE_QDRANT_API_KEY")
BYTES = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Write what is missing; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--file", type=Path, default=root / ".env")
    file = parser.parse_args(argv).file
    made = add_missing(file)
    print(f"{file}: {', '.join(made) or 'nothing'} added.")
    return 0


def add_missing(file: Path) -> list[str]:
    """Add the secrets that the file does not name; return which. It is its owner's alone then."""
    text = file.read_text() if file.exists() else ""
    there = {line.partition("=")[0].strip() for line in text.splitlines()}
    missing = [name for name in NAMES if name not in there]
    # Hex: a password that is part of an address must need no quoting.
    lines = [f"{name}={secrets.token_hex(BYTES)}\n" for name in missing]
    begun = "\n" if text and not text.endswith("\n") else ""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
        out.write(begun + "".join(lines) if missing else "")
    file.chmod(0o600)
    return missing


if __name__ == "__main__":
    raise SystemExit(main())
