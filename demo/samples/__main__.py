"""`python -m demo.samples FOLDER`: write the sample set into a folder."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from demo.samples.set import generate


def main() -> int:
    """Read the command line, write the set, say where it is."""
    parser = argparse.ArgumentParser(prog="python -m demo.samples", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenes", type=int, default=12)
    options = parser.parse_args()
    started = time.monotonic()
    made = generate(options.folder, seed=options.seed, scenes=options.scenes, progress=_show)
    seconds = time.monotonic() - started
    print(
        f"{len(made.photos)} photos, {len(made.queries)} queries in {options.folder}"
        f" ({seconds:.1f} s)"
    )
    return 0


def _show(done: int, total: int) -> None:
    print(f"drew {done} of {total} photos", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
