"""What a person does on the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect


def look_for(page: Page, image: Path) -> None:
    """Choose an image to look for and wait for what was found."""
    page.set_input_files("#find-input", image)
    wait_for_result(page)


def wait_for_result(page: Page) -> None:
    """Wait until a search has ended with a result."""
    expect(page.locator("#share")).to_be_visible(timeout=60_000)


def open_search(page: Page, image: Path, **fields: str) -> str:
    """Search with an image as a program would, open the link to that, and return the job's id."""
    file = {"name": image.name, "mimeType": "image/jpeg", "buffer": image.read_bytes()}
    form = {"file": file, "limit": "20", "hits_per_image": "6", "wait": "30"}
    answer = page.request.post("/api/v1/search", multipart={**form, **fields})
    job_id = str(answer.json()["job_id"])
    page.goto(f"/?job={job_id}")
    wait_for_result(page)
    return job_id


def unfold(page: Page) -> None:
    """Show the look-alikes, too."""
    page.get_by_role("button", name="a little like it").click()


def pick(page: Page, filename: str) -> None:
    """Pick an indexed image as the query."""
    page.click("#view-images")
    page.get_by_role("button", name=f"Search with {filename}").click()
    expect(page.locator("#query-shown")).to_be_visible()
    shows_image(page, "#query-stage img")


def drag(page: Page, stage: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on an image, from and to places given as shares of its width and height."""
    area = page.locator(f"{stage} .sheet").bounding_box()
    assert area is not None

    def place(share: tuple[float, float]) -> tuple[float, float]:
        return area["x"] + share[0] * area["width"], area["y"] + share[1] * area["height"]

    page.mouse.move(*place(start))
    page.mouse.down()
    page.mouse.move(*place(end), steps=8)
    page.mouse.up()


def shows_image(page: Page, selector: str) -> None:
    """Wait until an image has loaded."""
    page.wait_for_function("s => document.querySelector(s)?.naturalWidth > 0", arg=selector)


def altered(page: Page, alter: Callable[[Any], None]) -> None:
    """Have the page see other results than the service gave.

    Searches of indexed images alone and links to searches: a form's files are lost when a request
    is held up.
    """

    def answer(route: Route) -> None:
        job = route.fetch().json()
        if job.get("result"):
            alter(job["result"])
        route.fulfill(json=job)

    page.route(re.compile(r"/api/v1/(search|jobs/\w+)(\?|$)"), answer)


def copy_image(page: Page, image: Path) -> None:
    """Put an image on the clipboard, as a browser does: as a PNG."""
    script = """async bytes => {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      const type = "image/png";
      await navigator.clipboard.write([new ClipboardItem({[type]: canvas.convertToBlob({type})})]);
    }"""
    page.evaluate(script, list(image.read_bytes()))


def box(page: Page) -> list[int]:
    """Return the box as the number fields show it."""
    return [int(page.input_value(f"#box-{name}") or -1) for name in ("x1", "y1", "x2", "y2")]
