"""Where the workers' compiled kernels lie: in a file named after their sources and how it was made.

So no others are loaded. The set-up makes it, the workers load it. Standard library only, and
no syntax newer than Python 3.7: `machine/setup/kernels.py` uses it.
"""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "worker" / "native"
FLAGS = [
    "-O3",
    "-std=c11",
    "-ffreestanding",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
]
if platform.system() == "Linux":
    FLAGS.append("-nostdlib")  # a compiler without a C library will do
PLAIN, WIDE = "plain", "avx2"
"""Kinds of processor: any, and x86-64 with AVX2: nearly all since 2013 get kernels of their own."""
OF_PROCESSOR = {PLAIN: [], WIDE: ["-march=haswell"]}
"""What a compiler is told for each; old compilers know the name haswell, and not x86-64-v3."""


def sources() -> list[Path]:
    """Return the C files."""
    return sorted(SOURCES.glob("*.c"))


def targets() -> tuple[str, ...]:
    """Return the kinds of processor that kernels are built for on this machine, the best last."""
    return (PLAIN, WIDE) if platform.machine().lower() in ("x86_64", "amd64") else (PLAIN,)


def built(target: str, prefix: Path) -> Path:
    """Return where the kernels of the environment, or of the checkout, at `prefix` are."""
    read = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(SOURCES.glob("*.[ch]")):
        read.update(path.read_bytes())
    return prefix / "lib" / "needle" / f"kernels-{target}-{read.hexdigest()[:12]}.so"
