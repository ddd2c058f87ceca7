"""HEIC and HEIF: read in a process of its own, as a reader of Pillow's.

The library is written in C, and damaged files have ended the process that it was in. Here they end
that of `heif_reader.py`, which is started again for the next file.
"""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageFile

FORMAT = "HEIF"
ANSWER_S = 120.0
"""A file that takes longer is given up; a photo of 50 megapixels takes two."""
_MOST_BYTES = 1 << 34
_PROGRAM = Path(__file__).with_name("heif_reader.py")
_LENGTH = struct.Struct(">Q")
_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_FAULTS = (OSError, EOFError, ValueError, struct.error)


class HeifImageFile(ImageFile.ImageFile):
    """A picture whose header and pixels the other process reads."""

    format = FORMAT
    format_description = "HEIC and HEIF"

    def _open(self) -> None:
        assert self.fp is not None
        self._content = self.fp.read()
        try:
            header, _ = _READER.ask(b"I", self._content)
        except _FAULTS as exc:
            raise SyntaxError(str(exc)) from exc
        self._adopt(header)

    def load(self) -> Any:
        """Have the pixels read. Raises OSError."""
        if self._im is None:
            try:
                header, pixels = _READER.ask(b"D", self._content)
                self._adopt(header)  # the header had the size that the pixels turn out to have
                self.im = Image.frombytes(self.mode, self.size, pixels).im
            except (EOFError, ValueError, struct.error) as exc:
                raise OSError(str(exc)) from exc
        return Image.Image.load(self)

    def _adopt(self, header: Mapping[str, Any]) -> None:
        self._mode = str(header["mode"])
        width, height = header["size"]
        self._size = (int(width), int(height))
        self.info["exif"] = bytes.fromhex(header["exif"])


class _Reader:
    """The other process, one for all threads; started when it is needed first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, kind: bytes, content: bytes) -> tuple[dict[str, Any], bytes]:
        """Return what a file's header says, and its pixels where `kind` is `D`.

        Raises OSError, EOFError or ValueError.
        """
        with self._lock:
            process = self._running()
            timer = threading.Timer(ANSWER_S, process.kill)
            timer.start()
            try:
                return _exchange(process, kind, content)
            except _Refused:
                raise
            except BaseException:
                self._end(process)
                raise
            finally:
                timer.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        # A process that was forked does not share its parent's reader: answers would get mixed up.
        forked = self._owner != os.getpid()
        if forked or self._process is None or self._process.poll() is not None:
            self._owner = os.getpid()
            pipe = subprocess.PIPE
            # -P: what is beside the program is not what it imports.
            command = [sys.executable, "-P", str(_PROGRAM)]
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        return self._process

    def close(self) -> None:
        """End the other process, if it is this one's."""
        if self._process is not None and self._owner == os.getpid():
            self._end(self._process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # what was not sent yet goes nowhere
        self._process = None


def _exchange(
    process: subprocess.Popen[bytes], kind: bytes, content: bytes
) -> tuple[dict[str, Any], bytes]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(kind + _LENGTH.pack(len(content)))
    process.stdin.write(content)
    process.stdin.flush()
    verdict = process.stdout.read(1)
    if verdict == b"-":
        raise _Refused(_part(process.stdout).decode())
    if verdict != b"+":
        raise EOFError("its reader ended")
    header: dict[str, Any] = json.loads(_part(process.stdout))
    return header, _part(process.stdout)


class _Refused(ValueError):
    """The library says what is wrong with a file; its process lives on."""


def _part(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    if length > _MOST_BYTES:
        raise ValueError("its reader talks nonsense")
    return stream.read(length)


def _accept(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in _BRANDS


_READER = _Reader()
atexit.register(_READER.close)
Image.register_open(FORMAT, HeifImageFile, _accept)
