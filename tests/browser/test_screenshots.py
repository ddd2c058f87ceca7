"""The images of `docs/images`, written when `NEEDLE_SCREENSHOTS` is set: drawn samples only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import deeds, server
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.skipif(
    not os.environ.get("NEEDLE_SCREENSHOTS"), reason="NEEDLE_SCREENSHOTS is not set"
)
IMAGES = server.REPO / "docs" / "images"
MOST_BYTES = 400_000
# 256 colours: the commonest, which are the page's own, as they are; the others are the images'.
_SHRINK = """
import os, sys
from PIL import Image
path, most = sys.argv[1], int(sys.argv[2])
shot = Image.open(path).convert("RGB")
for share in (1, .9, .8, .7, .6, .5):
    size = tuple(round(side * share) for side in shot.size)
    small = shot.resize(size, Image.Resampling.LANCZOS) if share < 1 else shot
    common = sorted(small.getcolors(1 << 24), reverse=True)[:24]
    others = small.quantize(256 - len(common), method=0).getpalette()
    palette = Image.new("P", (1, 1))
    whole = [part for _, colour in common for part in colour] + others
    palette.putpalette(whole[:768])
    small.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    if os.path.getsize(path) < most:
        break
"""


@pytest.fixture(scope="module")
def samples(request: pytest.FixtureRequest) -> Path:
    """Return the sample set of the demo, drawn once."""
    folder = request.config.cache.mkdir("needle-browser") / "12-2400"
    return server.draw(folder, 12, (2400, 1600))


@pytest.fixture(scope="module")
def service(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a service with the demo's images."""
    with server.running(tmp_path_factory.mktemp("shots")) as running:
        server.index(running.base_url, sorted((samples / "photos").iterdir()))
        yield running.base_url


def _shoot(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_function("""() => [...document.querySelectorAll("dialog[open] img")]
      .every((image) => image.complete)""")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)  # images that are decoded, transitions that end
    path = IMAGES / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    page.screenshot(path=path)
    command = [sys.executable, "-c", _SHRINK, str(path), str(MOST_BYTES)]
    subprocess.run(command, check=True, timeout=120)
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("form", ["desktop", "phone"])
def test_images(opened: Callable, samples: Path, form: str, scheme: str) -> None:
    options = {"desktop": DESKTOP, "phone": PHONE}[form]
    page, _ = opened("/", **options, color_scheme=scheme)
    expect(page.locator("#library .tile").first).to_be_visible()
    deeds.look_for(page, samples / "queries" / "box.jpg")
    _shoot(page, f"found-{form}-{scheme}")
    page.locator("#groups .open").first.click()
    expect(page.locator("#view-places .place").first).to_be_visible()
    if scheme == "dark":
        _shoot(page, f"view-{form}-{scheme}")
    page.keyboard.press("Escape")
    deeds.pick(page, "11-mugs.jpg")
    page.locator("#query").scroll_into_view_if_needed()
    deeds.drag(page, "#query-stage", (0.3, 0.22), (0.41, 0.37))
    page.evaluate("scrollTo(0, 0)")
    if scheme == "light":
        _shoot(page, f"draw-{form}-{scheme}")
