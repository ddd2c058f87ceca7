"""The inputs: pictures and archives that are damaged, and requests that are odd or no requests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.mutating import mutant
from tests.unit.test_pictures_formats import encoded, heic, raw_file, scene
from tests.web.test_archives import KINDS, packed

POSTED = "fuzz"
"""The collection that damaged images go into."""
LINES = (
    b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 64,
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 300 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x00: a\r\n\r\n",
    b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"BREW /api/v1/images HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip
LENGTHS = (b"-1", b"1e3", b"99999999999999999999", b"0x10", b"", b"5, 6", b"\xb2")
ENCODINGS = (b"chunked", b"gzip", b"chunked, chunked", b"identity", b"x")


@dataclass(frozen=True)
class Input:
    """One input. `wire` are bytes for the socket; else `options` are of a request of httpx."""

    kind: str
    number: int
    method: str = ""
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    wire: bytes = b""

    @property
    def name(self) -> str:
        """How it is called: its kind and number make it anew."""
        return f"{self.kind}:{self.number}"


@cache
def pictures() -> Mapping[str, bytes]:
    """Return a sound picture of every format that is read, and of their main forms."""
    image = scene((64, 48))
    deep = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200)
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))

    def pages() -> dict[str, Any]:  # each time anew: Pillow notes on a page how it was saved
        return {"save_all": True, "append_images": [image.rotate(90), image.convert("L")]}

    jpeg = encoded(image, "JPEG")
    return {
        "JPEG": jpeg,
        "JPEG progressive": encoded(image, "JPEG", progressive=True),
        "JPEG CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "MPO": encoded(image, "MPO", **pages()),
        "PNG": encoded(image, "PNG"),
        "PNG clear": encoded(clear, "PNG"),
        "PNG 16 bits": encoded(deep, "PNG"),
        "PNG palette": encoded(image.quantize(32), "PNG"),
        "WebP": encoded(image, "WEBP"),
        "WebP moving": encoded(clear, "WEBP", lossless=True, **pages()),
        "GIF": encoded(image, "GIF", **pages()),
        "BMP": encoded(image, "BMP"),
        "TIFF": encoded(image, "TIFF", **pages()),
        "TIFF deflate": encoded(image, "TIFF", compression="tiff_deflate", **pages()),
        "TIFF LZW": encoded(image, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": encoded(image, "TIFF", compression="jpeg"),
        "TIFF float": encoded(Image.fromarray(np.asarray(deep, np.float32)), "TIFF"),
        "BigTIFF": encoded(image, "TIFF", big_tiff=True),
        "HEIC": heic(image),
        "AVIF": encoded(image, "AVIF"),
        "JPEG 2000": encoded(image, "JPEG2000"),
        "JPEG 2000 tiles": encoded(clear, "JPEG2000", tile_size=(32, 32)),
        "RAW": raw_file(jpeg),
        "RAW big-endian": raw_file(jpeg, order=">", orientation=6),
    }


@cache
def archives() -> Mapping[str, bytes]:
    """Return a sound archive of every kind that is unpacked."""
    image = encoded(scene((48, 32)), "PNG")
    members = {"a/b.png": image, "ü.txt": b"hello" * 9, "c" * 120 + ".jpg": pictures()["JPEG"]}
    return {kind or "tar": packed(kind, members) for kind in KINDS}


def picture(seed: int, number: int) -> Input:
    """Return a damaged picture: an image to index, every fifth time a query."""
    dice = random.Random(f"picture {seed} {number}")
    content = mutant(dice.choice(list(pictures().values())), dice)
    if number % 5 == 0:
        data = {"collection": "kept", "wait": "20"}
        return _posted("query", number, "/api/v1/search", "file", content, data)
    return _posted("picture", number, "/api/v1/images", "files", content, {"collection": POSTED})


def archive(seed: int, number: int) -> Input:
    """Return a damaged archive."""
    dice = random.Random(f"archive {seed} {number}")
    content = mutant(dice.choice(list(archives().values())), dice)
    return _posted("archive", number, "/api/v1/images", "files", content, {"collection": POSTED})


def wire(seed: int, number: int) -> Input:
    """Return bytes that are no request, or one whose head lies about its body."""
    dice = random.Random(f"wire {seed} {number}")
    body = encoded(scene((16, 16)), "PNG")
    head = [b"POST /api/v1/images HTTP/1.1", b"Host: localhost", b"Content-Type: " + dice.choice((
        b"multipart/form-data; boundary=x", b"multipart/form-data", b"application/json", b"\xff",
    ))]  # fmt: skip
    if dice.random() < 0.6:
        head.append(b"Content-Length: " + dice.choice((b"%d" % dice.randrange(3000), *LENGTHS)))
    if dice.random() < 0.4:
        head.append(b"Transfer-Encoding: " + dice.choice(ENCODINGS))
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    whole = b"\r\n".join(head) + b"\r\n\r\n" + form + body + b"\r\n--x--\r\n"
    sent = dice.choice(LINES) if dice.random() < 0.3 else whole
    return Input("wire", number, wire=mutant(sent, dice) if sent and dice.random() < 0.7 else sent)


def _posted(
    kind: str, number: int, path: str, name: str, content: bytes, data: Mapping[str, str]
) -> Input:
    files = [(name, (f"{kind}{number}", content))]
    return Input(kind, number, "POST", path, {"files": files, "data": data})
