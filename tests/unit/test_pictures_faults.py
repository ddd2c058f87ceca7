"""Files that viewers show all the same: cut short, of odd depths, transparent, of several pages."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from common import pictures
from common.errors import InvalidImage

MANY = 10**8


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int] = (160, 120), seed: int = 1) -> Image.Image:
    """Return a picture that is uneven everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def read(content: bytes) -> pictures.Picture:
    return pictures.read(content, max_pixels=MANY)


class TestCutShort:
    def test_a_jpeg_is_read_as_far_as_it_goes_and_says_what_is_missing(self) -> None:
        whole = encoded(noise(), "JPEG", quality=95)
        cut = read(whole[: len(whole) * 2 // 3])
        assert cut.warning is not None and "% of the picture is missing" in cut.warning
        assert cut.pixels.size == (160, 120)
        upper = (0, 0, 160, 40)
        assert np.array_equal(cut.pixels.crop(upper), read(whole).pixels.crop(upper))

    def test_one_that_lacks_its_end_mark_alone_is_whole(self) -> None:
        whole = encoded(noise(), "JPEG")
        cut = read(whole[:-2])
        assert cut.warning is None
        assert np.array_equal(cut.pixels, read(whole).pixels)

    def test_a_progressive_one_is_coarser(self) -> None:
        whole = encoded(noise(), "JPEG", quality=95, progressive=True)
        assert "coarser" in (read(whole[: len(whole) * 2 // 3]).warning or "")

    def test_one_that_ends_before_its_pixels_is_damaged(self) -> None:
        whole = encoded(noise(), "JPEG", quality=95)
        start = whole.index(b"\xff\xda")
        with pytest.raises(InvalidImage):
            read(whole[: start + 20])

    def test_a_whole_one_says_nothing(self) -> None:
        assert read(encoded(noise(), "JPEG")).warning is None

    def test_the_collected_case_is_read(self, shared: Path) -> None:
        folder = shared / "data" / "cases" / "jpeg-truncated"
        for name, missing in (("no-eoi", False), ("cut83", False), ("cut10percent", True)):
            found = read((folder / f"{name}.jpg").read_bytes())
            assert found.pixels.size == (480, 360)
            assert (found.warning is not None) is missing


def grey() -> np.ndarray:
    """Return measurements: 0.1 to 0.9, smooth and uneven."""
    found = np.asarray(noise((480, 360)).convert("L"), np.float32) / 255
    return found * 0.8 + 0.1


class TestGrey:
    def levels(self, values: np.ndarray, kind: str = "TIFF") -> np.ndarray:
        return np.asarray(read(encoded(Image.fromarray(values), kind)).pixels.convert("L"))

    def seen(self, found: np.ndarray) -> None:
        """Hold it against the same picture without a fault."""
        usual = self.levels(grey())
        inner = (slice(20, -20), slice(20, -20))
        apart = np.abs(found[inner].astype(float) - usual[inner])
        assert apart.mean() < 6
        assert usual[inner].std() > 30

    @pytest.mark.parametrize("mark", [math.nan, math.inf, -math.inf, -9999, 1e20, -3.4e38, 65535])
    def test_a_border_where_nothing_was_measured_leaves_the_rest_visible(self, mark: float) -> None:
        values = grey()
        values[:10] = mark
        values[:, :10] = mark
        self.seen(self.levels(values))

    def test_a_level_that_the_file_says_is_none_is_left_out(self) -> None:
        values = grey()
        values[:10] = -0.5
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[42113] = "-0.5"
        content = encoded(Image.fromarray(values), "TIFF", tiffinfo=tags)
        self.seen(np.asarray(read(content).pixels.convert("L")))

    @pytest.mark.parametrize("hot", [0, 65535])
    def test_a_hot_pixel_leaves_the_rest_visible(self, hot: int) -> None:
        values = (grey() * 2000).astype(np.uint16)
        values[7, 9] = hot
        self.seen(self.levels(values, "PNG"))

    def test_two_levels_are_black_and_white(self) -> None:
        values = np.zeros((64, 64), np.uint16)
        values[:, 20:] = 60_000
        found = self.levels(values, "PNG")
        assert (found[:, :20] == 0).all() and (found[:, 20:] == 255).all()

    def test_no_number_at_all_is_refused(self) -> None:
        with pytest.raises(InvalidImage, match="no grey level"):
            self.levels(np.full((32, 32), np.nan, np.float32))

    def test_the_collected_case_is_visible(self, shared: Path) -> None:
        folder = shared / "data" / "cases" / "grey-16-and-float"
        for name in ("nan-border.tif", "nodata-9999.tif", "hot-pixel-16.png"):
            found = np.asarray(read((folder / name).read_bytes()).pixels)
            assert 110 < found.mean() < 140 and 50 < found.std() < 70


def logo(colour: tuple[int, int, int], size: int = 60) -> Image.Image:
    """Return a cross of one colour on nothing, with a wide margin."""
    image = Image.new("RGBA", (200, 160), (255, 255, 255, 0))
    image.paste((*colour, 255), (70, 20, 70 + 20, 20 + size))
    image.paste((*colour, 255), (50, 40, 50 + size, 60))
    return image


class TestTransparency:
    def query(self, image: Image.Image) -> tuple[Image.Image, ...]:
        content = encoded(image)
        found = pictures.read(content, max_pixels=MANY, transparent=True)
        return pictures.grounded(found.pixels)

    def test_the_transparent_margin_of_a_query_is_trimmed(self) -> None:
        (found,) = self.query(logo((0, 0, 0)))
        assert found.size == (60, 60)

    @pytest.mark.parametrize(("colour", "ground"), [((255,) * 3, 0), ((0,) * 3, 255)])
    def test_a_logo_is_put_on_a_ground_that_it_stands_out_from(
        self, colour: tuple[int, int, int], ground: int
    ) -> None:
        (found,) = self.query(logo(colour))
        assert found.getpixel((0, 0)) == (ground,) * 3
        assert found.getpixel((30, 30)) == colour

    @pytest.mark.parametrize("colour", [(128, 128, 128), None])
    def test_where_that_is_unclear_it_is_put_on_two(self, colour: tuple[int, int, int]) -> None:
        image = logo(colour or (0, 0, 0))
        if colour is None:
            image.paste((255, 255, 255, 255), (50, 40, 110, 60))
        grounds = {view.getpixel((0, 0)) for view in self.query(image)}
        assert grounds == {(0, 0, 0), (255, 255, 255)}

    def test_a_query_of_which_nothing_is_visible_is_blank(self) -> None:
        with pytest.raises(InvalidImage, match="blank"):
            self.query(Image.new("RGBA", (20, 20)))

    def test_one_colour_is_blank_and_a_picture_is_not(self) -> None:
        even = read(encoded(Image.new("RGB", (40, 40), (200, 10, 10)), "JPEG")).pixels
        assert pictures.is_blank(even)
        assert not pictures.is_blank(noise())

    def test_an_indexed_logo_that_is_white_stands_on_black(self) -> None:
        assert read(encoded(logo((255, 255, 255)))).pixels.getpixel((0, 0)) == (0, 0, 0)
        assert read(encoded(logo((128, 128, 128)))).pixels.getpixel((0, 0)) == (255, 255, 255)

    def test_a_colour_that_stands_for_nothing_is_applied(self) -> None:
        image = Image.new("RGB", (80, 80), (255, 0, 255))
        image.paste((0, 0, 0), (30, 30, 50, 50))
        content = encoded(image, transparency=(255, 0, 255))
        assert read(content).pixels.getpixel((0, 0)) == (255, 255, 255)
        keyed = pictures.read(content, max_pixels=MANY, transparent=True).pixels
        assert pictures.grounded(keyed)[0].size == (20, 20)


class TestPages:
    def content(self, *images: Image.Image, **options: object) -> bytes:
        first, *rest = images
        return encoded(first, "TIFF", save_all=True, append_images=rest, **options)

    @pytest.mark.parametrize("packing", ["raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits"])
    @pytest.mark.parametrize("big", [False, True])
    def test_each_further_page_is_a_file_of_its_own(self, packing: str, big: bool) -> None:
        three = [noise(seed=seed) for seed in range(3)]
        content = self.content(*three, compression=packing, big_tiff=big)
        assert np.array_equal(read(content).pixels, self.frame(content, 0))
        pages = list(pictures.further_pages(content))
        assert [page.number for page in pages] == [2, 3]
        for page in pages:
            assert isinstance(page.content, bytes)
            assert np.array_equal(read(page.content).pixels, self.frame(content, page.number - 1))
            assert list(pictures.further_pages(page.content)) == []

    def frame(self, content: bytes, number: int) -> Image.Image:
        image = Image.open(io.BytesIO(content))
        image.seek(number)
        return image.convert("RGB")

    @pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGBA", "I;16"])
    def test_pages_of_any_mode_come_through(self, mode: str) -> None:
        page = noise().convert("L" if mode == "I;16" else mode).convert(mode)
        (second,) = pictures.further_pages(self.content(noise(), page))
        assert isinstance(second.content, bytes)
        assert read(second.content).pixels.size == page.size

    def test_previews_of_less_resolution_are_passed_over(self) -> None:
        small = noise((40, 30))
        small.encoderinfo = {"tiffinfo": {254: 1}}
        before = encoded(small, "TIFF", tiffinfo={254: 1})
        assert np.array_equal(read(before).pixels, small)  # there is nothing else in it
        content = self.content(noise(), small, noise(seed=2))
        assert [page.number for page in pictures.further_pages(content)] == [2]

    def test_pages_that_share_their_pixels_are_no_bomb(self) -> None:
        blob, pages = bytes(10_000), 50
        content = b"II" + struct.pack("<HL", 42, 8 + len(blob)) + blob
        for n in range(pages):
            entries = [(256, 100), (257, 100), (273, 8), (279, len(blob))]
            content += struct.pack("<H", len(entries))
            content += b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in entries)
            content += struct.pack("<L", len(content) + 4 if n < pages - 1 else 0)
        found = list(pictures.further_pages(content))
        assert len(found) == pages - 1
        assert sum(len(page.content) for page in found if isinstance(page.content, bytes)) < 25_000

    def test_damage_ends_the_pages_and_raises_nothing(self) -> None:
        content = self.content(*[noise((32, 24), seed) for seed in range(4)])
        dice = np.random.default_rng(3)
        for _ in range(300):
            changed = bytearray(content)
            for place in dice.integers(0, len(changed), 6):
                changed[place] = dice.integers(256)
            assert len(list(pictures.further_pages(bytes(changed)))) < 100

    def test_the_collected_case_has_two_pages(self, shared: Path) -> None:
        content = (shared / "data/cases/tiff-page-2/pages.tif").read_bytes()
        assert [page.number for page in pictures.further_pages(content)] == [2]
