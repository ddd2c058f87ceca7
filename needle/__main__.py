"""`python -m needle`: the same as `needle`."""

from __future__ import annotations

from needle.cli import run

if __name__ == "__main__":
    run()
