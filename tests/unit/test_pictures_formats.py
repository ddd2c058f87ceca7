"""Formats: what people have is read, or refused by its name with the way out."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import pictures
from common.errors import ImageTooLarge, InvalidImage
from common.pictures import heif

MANY = 10**8
SIZE = (96, 64)


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """Return something smooth, that any packing keeps."""
    across = np.linspace(0, 255, size[0])[None, :].repeat(size[1], 0)
    down = np.linspace(0, 255, size[1])[:, None].repeat(size[0], 1)
    return Image.fromarray(np.stack([across, down, 255 - across], 2).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def unlike(one: Image.Image, other: Image.Image) -> float:
    """Return how far apart two pictures of one size are, in mean levels."""
    assert one.size == other.size
    levels = [np.asarray(image.convert("RGB"), np.float32) for image in (one, other)]
    return float(np.abs(levels[0] - levels[1]).mean())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_a_format_is_read_as_what_it_shows(kind: str) -> None:
    content = encoded(scene(), kind)
    header = pictures.inspect(content, max_pixels=MANY)
    assert (header.format, header.width, header.height) == (kind, *SIZE)
    assert header.media_type.startswith("image/")
    assert unlike(pictures.decode(content, max_pixels=MANY), scene()) < 8


def heic(image: Image.Image, **options: object) -> bytes:
    """Return what a phone would make of a picture."""
    maker = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    maker.from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def test_a_phones_photo_is_read() -> None:
    content = heic(scene())
    header = pictures.inspect(content, max_pixels=MANY)
    assert (header.format, header.media_type) == ("HEIF", "image/heif")
    assert unlike(pictures.decode(content, max_pixels=MANY), scene()) < 8


def test_a_phones_photo_that_was_held_upright_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = heic(scene(), exif=exif.tobytes())
    header = pictures.inspect(turned, max_pixels=MANY)
    image = pictures.decode(turned, max_pixels=MANY)
    assert (header.width, header.height) == image.size == (SIZE[1], SIZE[0])
    assert unlike(image, scene().transpose(Image.Transpose.ROTATE_270)) < 8


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "HEIF"])
def test_a_limit_holds_before_anything_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = heic(scene()) if kind == "HEIF" else encoded(scene(), kind)

    def decoded(_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    monkeypatch.setattr("common.pictures.heif.HeifImageFile.load", decoded)
    for read in (pictures.inspect, pictures.decode):
        with pytest.raises(ImageTooLarge):
            read(content, max_pixels=1000)


@pytest.mark.parametrize(
    ("mode", "most"), [("L", 1.7), ("LA", 1.13), ("RGB", 0.85), ("RGBA", 0.68)]
)
def test_jpeg_2000_of_one_tile_is_as_large_as_its_decoder_allows(mode: str, most: float) -> None:
    """It takes 20 bytes a pixel, 25 with transparency, where other formats take 17 at most."""
    content = encoded(scene().convert(mode), "JPEG2000")
    pixels = SIZE[0] * SIZE[1]
    allowed = max(pixels, int(pixels / most) + 1)
    assert pictures.inspect(content, max_pixels=allowed).width == SIZE[0]
    if most < 1:
        for read in (pictures.inspect, pictures.decode):
            with pytest.raises(ImageTooLarge, match=r"a tile of 96 x 64 .*save it in tiles"):
                read(content, max_pixels=int(pixels / most) - 10)
        tiled = encoded(scene().convert(mode), "JPEG2000", tile_size=(32, 32))
        assert pictures.decode(tiled, max_pixels=pixels).size == SIZE


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "HEIF"])
def test_damage_in_a_modern_format_is_one_refusal(kind: str) -> None:
    content = heic(scene()) if kind == "HEIF" else encoded(scene(), kind)
    random = np.random.default_rng(1)
    damaged = [content[: len(content) * part // 8] for part in range(8)]
    for _ in range(60):
        changed = bytearray(content)
        for place in random.integers(0, len(changed), 8):
            changed[place] = random.integers(256)
        damaged.append(bytes(changed))
    for each in damaged:
        try:
            pictures.decode(each, max_pixels=MANY)
        except (InvalidImage, ImageTooLarge):
            continue


@pytest.mark.parametrize("program", ["import os; os.abort()", "print('+no length')", "", "1 / 0"])
def test_a_reader_that_dies_takes_nothing_with_it(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = heic(scene())
    broken = tmp_path / "reader.py"
    broken.write_text(program)
    reader = heif._Reader()
    monkeypatch.setattr(heif, "_READER", reader)
    with monkeypatch.context() as during:
        during.setattr(heif, "_PROGRAM", broken)
        with pytest.raises(InvalidImage, match="HEIC"):
            pictures.inspect(content, max_pixels=MANY)
    assert pictures.decode(content, max_pixels=MANY).size == SIZE
    reader.close()


def test_a_reader_that_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "reader.py"
    silent.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(heif, "_READER", heif._Reader())
    monkeypatch.setattr(heif, "_PROGRAM", silent)
    monkeypatch.setattr(heif, "ANSWER_S", 0.1)
    with pytest.raises(InvalidImage, match="HEIC"):
        pictures.inspect(heic(scene()), max_pixels=MANY)


def test_a_picture_of_two_eyes_shows_its_first() -> None:
    left, right = scene(), Image.new("RGB", SIZE)
    content = encoded(left, "MPO", save_all=True, append_images=[right])
    assert pictures.inspect(content, max_pixels=MANY).format == "MPO"
    assert unlike(pictures.decode(content, max_pixels=MANY), left) < 8


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01", "CR3"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "video"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (b"\x1a\x45\xdf\xa3", "video"),
        (b"IIRO\x08\x00\x00\x00", "ORF"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"\x28\xb5\x2f\xfd\x24", "Zstandard"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<!DOCTYPE html><title>Not found</title>", "web page"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"hello", "not an image"),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(start: bytes, name: str) -> None:
    with pytest.raises(InvalidImage, match=name) as raised:
        pictures.inspect(start + bytes(64), max_pixels=MANY)
    assert ": " in raised.value.message


def raw_file(preview: bytes, *, order: str = "<", orientation: int = 1) -> bytes:
    """Return a raw file as cameras write it: a small preview first, below it sensor and JPEG."""
    sign = b"II" if order == "<" else b"MM"
    first, sensor, shown = 8, 200, 400
    pixels, jpeg = 600, 1000

    def directory(entries: list[tuple[int, int, int]]) -> bytes:
        packed = struct.pack(order + "H", len(entries))
        for tag, kind, value in entries:
            packed += struct.pack(order + "HHL", tag, kind, 1)
            packed += struct.pack(
                order + ("HH" if kind == 3 else "L"), *((value, 0) if kind == 3 else (value,))
            )
        return packed + struct.pack(order + "L", 0)

    content = bytearray(jpeg) + preview
    content[:8] = sign + struct.pack(order + "HL", 42, first)
    below = struct.pack(order + "HHLL", 330, 4, 2, 180)
    top = directory(
        [
            (254, 4, 1),
            (256, 3, 8),
            (257, 3, 8),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, pixels),
            (274, 3, orientation),
            (277, 3, 1),
            (278, 3, 8),
            (279, 4, 64),
        ]
    )
    top = struct.pack(order + "H", 12) + top[2:-4] + below + bytes(4)
    content[first : first + len(top)] = top
    content[180:188] = struct.pack(order + "LL", sensor, shown)
    cfa = directory([(254, 4, 0), (256, 3, 99), (257, 3, 99), (262, 3, 32803)])
    content[sensor : sensor + len(cfa)] = cfa
    seen = directory([(254, 4, 1), (259, 3, 7), (273, 4, jpeg), (279, 4, len(preview))])
    content[shown : shown + len(seen)] = seen
    return bytes(content)


@pytest.mark.parametrize("order", ["<", ">"])
def test_of_a_raw_file_the_largest_preview_is_read(order: str) -> None:
    content = raw_file(encoded(scene(), "JPEG"), order=order)
    header = pictures.inspect(content, max_pixels=MANY)
    assert (header.format, header.width, header.height) == ("RAW", *SIZE)
    assert unlike(pictures.decode(content, max_pixels=MANY), scene()) < 8
    assert list(pictures.further_pages(content)) == []


def test_a_raw_file_says_how_its_preview_is_turned() -> None:
    content = raw_file(encoded(scene(), "JPEG"), orientation=6)
    assert pictures.decode(content, max_pixels=MANY).size == (SIZE[1], SIZE[0])
    assert pictures.inspect(content, max_pixels=MANY).width == SIZE[1]


def test_a_raw_file_without_a_preview_says_so() -> None:
    with pytest.raises(InvalidImage, match="raw file without a preview"):
        pictures.decode(raw_file(b"no picture"), max_pixels=MANY)


def test_the_preview_of_a_raw_file_keeps_to_the_limit() -> None:
    with pytest.raises(ImageTooLarge):
        pictures.inspect(raw_file(encoded(scene(), "JPEG")), max_pixels=100)


def test_the_collected_case_is_read_or_named(shared: Path) -> None:
    folder = shared / "data" / "cases" / "modern-formats"
    for name in ("a.avif", "b.jp2"):
        content = (folder / name).read_bytes()
        assert pictures.decode(content, max_pixels=MANY).size == (480, 360)
    with pytest.raises(InvalidImage, match="HEIC"):  # it is a header, no more
        pictures.decode((folder / "c.heic").read_bytes(), max_pixels=MANY)


def test_the_tile_of_a_jpeg_2000_is_found_behind_what_looks_like_one() -> None:
    content = encoded(scene(), "JPEG2000")
    small = b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIIIH", 47, 0, 8, 8, 0, 0, 8, 8, 0, 0, 3)
    decoy = struct.pack(">I4s", 8 + len(small), b"xml ") + small
    first = content.index(b"jp2h") - 4
    with pytest.raises(ImageTooLarge, match="a tile"):
        pictures.inspect(content[:first] + decoy + content[first:], max_pixels=SIZE[0] * SIZE[1])
