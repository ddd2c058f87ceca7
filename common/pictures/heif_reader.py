"""The process that reads HEIC: a damaged file may end it, and nothing else with it.

It imports nothing of the project, and is run by its path. It reads requests from its standard input
(`D`, or `I` for the header alone; the length; the file) and answers each on its standard output:
`+`, a header as JSON and the pixels, or `-` and why not; lengths before each part.
"""

from __future__ import annotations

import io
import json
import signal
import struct
import sys
from typing import BinaryIO

import pi_heif
from PIL import Image

LENGTH = struct.Struct(">Q")


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when whoever asks does
    pi_heif.register_heif_opener(thumbnails=False)
    # Whoever asks has looked at the size before.
    Image.MAX_IMAGE_PIXELS = None
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while kind := requests.read(1):
        (length,) = LENGTH.unpack(requests.read(LENGTH.size))
        _answer(requests.read(length), answers, decode=kind == b"D")
        answers.flush()


def _answer(content: bytes, answers: BinaryIO, *, decode: bool) -> None:
    try:
        with Image.open(io.BytesIO(content), formats=["HEIF"]) as image:
            if decode:
                image.load()
            exif = image.info.get("exif") or b""
            header = {"mode": image.mode, "size": image.size, "exif": exif.hex()}
            pixels = image.tobytes() if decode else b""
    except Exception as exc:
        _send(answers, b"-", str(exc).encode())
        return
    _send(answers, b"+", json.dumps(header).encode(), pixels)


def _send(answers: BinaryIO, verdict: bytes, *parts: bytes) -> None:
    answers.write(verdict)
    for part in parts:
        answers.write(LENGTH.pack(len(part)))
        answers.write(part)


if __name__ == "__main__":
    main()
