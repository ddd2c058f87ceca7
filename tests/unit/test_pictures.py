"""Reading pictures: upright, bounded, and nothing hostile gets through."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
from pathlib import Path
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image

from common import pictures
from common.errors import ImageTooLarge, InvalidBox, InvalidImage
from common.geometry import Box
from tests.conftest import REPO

MANY = 10**8


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_size_and_pixels(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(gradient(40, 20), "JPEG", exif=exif)
    header = pictures.inspect(content, max_pixels=MANY)
    image = pictures.decode(content, max_pixels=MANY)
    assert (header.width, header.height) == image.size
    assert image.size == ((20, 40) if orientation > 4 else (40, 20))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    made = gradient(16, 16)
    if mode == "I;16":
        source = Image.fromarray((np.arange(256, dtype=np.uint16) * 200).reshape(16, 16))
    else:
        source = made.convert("RGBA" if mode == "LA" else mode).convert(mode)
    content = encoded(source, "TIFF")
    assert pictures.decode(content, max_pixels=MANY).mode == "RGB"


def test_sixteen_bit_grey_keeps_its_contrast() -> None:
    source = Image.fromarray((np.arange(256, dtype=np.uint16) * 200 + 900).reshape(16, 16))
    levels = np.asarray(pictures.decode(encoded(source), max_pixels=MANY))
    assert levels.min() == 0
    assert levels.max() >= 254


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert pictures.decode(encoded(clear), max_pixels=MANY).getpixel((0, 0)) == (255, 255, 255)


def test_a_bomb_is_refused_from_its_header() -> None:
    content = encoded(Image.new("1", (20_000, 20_000)))
    assert len(content) < 100_000
    with pytest.raises(ImageTooLarge, match="20000 x 20000"):
        pictures.inspect(content, max_pixels=MANY)


@pytest.mark.parametrize("content", [b"", b"hello", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n" + b"0" * 99])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidImage, match=r"not an image|a PDF|empty|damaged: Trunc"):
        pictures.inspect(content, max_pixels=MANY)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_truncated_or_scrambled_image_never_escapes_as_another_error(kind: str) -> None:
    content = encoded(gradient(64, 64), kind)
    random = np.random.default_rng(1)
    with pytest.raises(InvalidImage):
        pictures.decode(content[: len(content) // 2], max_pixels=MANY)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, len(damaged), 8):
            damaged[place] = random.integers(256)
        try:
            pictures.decode(bytes(damaged), max_pixels=MANY)
        except (InvalidImage, ImageTooLarge):
            continue


@pytest.mark.parametrize("box", [Box(0, 0, 0, 5), Box(0, 0, 65, 5), Box(-1, 0, 5, 5)])
def test_a_box_outside_the_image_is_refused(box: Box) -> None:
    with pytest.raises(InvalidBox, match="64 x 48"):
        pictures.crop(gradient(64, 48), box)


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc32(name + content))
    )


def claiming(width: int, height: int, pixels: bytes = b"x") -> bytes:
    """Return a PNG of a few bytes that says it is so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [15_000, 2**31 - 1])
def test_a_png_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    def decoded(_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decoded)
    for read in (pictures.inspect, pictures.decode):
        with pytest.raises(ImageTooLarge):
            read(claiming(side, side), max_pixels=MANY)
    assert pictures.inspect(claiming(90, 60), max_pixels=MANY).width == 90


@pytest.mark.parametrize("behind", [False, True])
def test_a_pngs_orientation_is_found_before_its_pixels_and_behind_them(behind: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(gradient(40, 20), exif=exif)
    if behind:
        plain = encoded(gradient(40, 20))
        mark = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\x00\x00"))
        content = plain[:-12] + mark + plain[-12:]
    header = pictures.inspect(content, max_pixels=MANY)
    assert (header.width, header.height) == (20, 40)
    assert pictures.decode(content, max_pixels=MANY).size == (20, 40)


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError(), AssertionError("odd")])
def test_whatever_a_decoder_raises_is_the_images_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(InvalidImage):
        pictures.decode(encoded(gradient(4, 4)), max_pixels=MANY)


def test_pictures_wait_for_room() -> None:
    room, order = pictures.Room(100), []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with room.held(1000):  # more than there is: alone
            inside.set()
            leave.wait(5)
            order.append("first")

    def second() -> None:
        with room.held(10):
            order.append("second")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    inside.wait(5)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "second"]


def test_a_large_picture_is_shrunk_to_its_share() -> None:
    small = pictures.shrunk(gradient(200, 100), 5_000)
    assert small.size == (100, 50)
    assert pictures.shrunk(small, 5_000) is small


READING = """
import sys
from common import pictures
def most():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
content = open(sys.argv[1], "rb").read()
before = most()
image = pictures.decode(content, max_pixels=10**8)
print((most() - before) / (image.width * image.height))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says how much was taken")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "JPEG2000"])
def test_decoding_takes_at_most_seventeen_bytes_a_pixel(tmp_path: Path, kind: str) -> None:
    """So an index worker keeps below 2 GB, with its models, at the 100 megapixels it may meet."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB" if kind == "JPEG" else "RGBA", (3000, 3000), (90, 120, 30))
    # JPEG 2000 in tiles: of one tile, so large a picture is refused (test_pictures_formats.py).
    more = {"WEBP": {"method": 0}, "JPEG2000": {"tile_size": (500, 500)}}.get(kind, {})
    path = tmp_path / "picture"
    image.putpixel((5, 5), (1, 2, 3) if kind == "JPEG" else (1, 2, 3, 100))
    image.save(path, kind, exif=exif, **more)
    command = [sys.executable, "-c", READING, str(path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 17
