"""Progress that does not lie: what failed, what is left, what a closed page leaves behind."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser import server

# Images that end as (milliseconds, total, ended) say; what is left after each, in milliseconds.
ESTIMATE = """
async (states) => {
  const { Eta } = await import("/static/upload/eta.js");
  const eta = new Eta();
  return states.map(([now, total, ended]) => {
    eta.note({ total, ended }, now);
    return eta.left(now);
  });
}
"""


def _estimates(page: Page, *states: tuple[int, int, int]) -> list[dict | None]:
    found: list[dict | None] = page.evaluate(ESTIMATE, list(states))
    return found


def test_what_is_left_comes_down_while_images_end_in_bursts(opened: Callable) -> None:
    page, _ = opened()
    states = [(0, 100, 0), (1000, 100, 1), (10_000, 100, 10), (15_000, 100, 10), (19_000, 100, 18)]
    nothing, few, *known = _estimates(page, *states)
    assert nothing is None and few is None
    left = [each["ms"] for each in known if each]
    assert left == sorted(left, reverse=True) and left[0] == 90_000
    assert all(each["why"] == "" for each in known if each)


def test_what_is_left_says_why_it_went_up(opened: Callable) -> None:
    page, _ = opened()
    more = _estimates(page, (0, 10, 0), (5000, 10, 5), (6000, 300, 5))[-1]
    assert more and more["ms"] > 5000 and "more images" in more["why"]
    slower = _estimates(page, (0, 100, 0), (10_000, 100, 50), (60_000, 100, 51))[-1]
    assert slower and "slowly" in slower["why"]
    overdue = _estimates(page, (0, 10, 0), (5000, 10, 5), (11_000, 10, 5))[-1]
    assert overdue and overdue["ms"] > 0 and "slowly" in overdue["why"]


def test_failures_are_named_at_once_and_outlive_a_reload(
    opened: Callable, samples: Path, stack: server.Running, tmp_path: Path
) -> None:
    page, _ = opened("/?collection=failing")
    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo")
    card = page.locator(".job")
    with stack.paused("index"):
        page.set_input_files("#add-input", [broken, min((samples / "photos").iterdir())])
        expect(card.locator(".failures li")).to_contain_text("broken.jpg: This is not an image")
        expect(card.locator(".line")).to_have_text("1 image waiting to be indexed … · 1 failed")
    ended = "1 of 2 images ready, 1 failed."
    expect(card.locator(".line")).to_have_text(ended, timeout=300_000)
    page.reload()
    expect(card.locator(".line")).to_have_text(ended)
    expect(card.locator(".failures li")).to_have_count(1)
    card.get_by_role("button", name="Dismiss").click()
    page.reload()
    expect(page.locator("#library .tile")).to_have_count(1)
    expect(card).to_have_count(0)


def test_what_an_archive_leaves_out_never_counts_as_failed(
    opened: Callable, samples: Path, stack: server.Running, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as packed:
        packed.write(min((samples / "photos").iterdir()), "one.jpg")
        for name in ("a.pdf", "b.txt", "clip.mov"):
            packed.writestr(name, b"x")
    page, _ = opened("/?collection=archive")
    held: list[Route] = []
    naming = False
    page.route("**/items?*", lambda route: route.continue_() if naming else held.append(route))
    line = page.locator(".job .line")
    with stack.paused("index"):
        page.set_input_files("#add-input", tmp_path / "album.zip")
        expect(line).to_have_text("1 image waiting to be indexed …")
        page.wait_for_timeout(1500)  # longer than a look at the job takes
        assert held
        expect(line).to_have_text("1 image waiting to be indexed …")
        naming = True
        for route in held:
            route.continue_()
        page.wait_for_timeout(500)
        expect(line).to_have_text("1 image waiting to be indexed …")
    said = "1 image ready. Left out: 1 .pdf, 1 .txt, 1 .mov."
    expect(line).to_have_text(said, timeout=300_000)


def test_a_page_that_was_closed_says_what_it_did_not_send(opened: Callable, samples: Path) -> None:
    page, watch = opened("/?collection=unsent")
    watch.allow("Blocked attempt to show a 'beforeunload'")
    page.route("**/api/v1/images", lambda route: None)  # nobody answers
    page.set_input_files("#add-input", sorted((samples / "photos").iterdir())[:2])
    expect(page.locator(".job progress")).to_be_visible()
    page.reload()
    line = page.locator(".job .line")
    expect(line).to_contain_text("The page was closed before 2 files could be sent. Add them again")


def test_images_that_were_there_are_said_to_have_been(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=twice")
    image = min((samples / "photos").iterdir())
    line = page.locator(".job .line").first
    page.set_input_files("#add-input", image)
    expect(line).to_have_text("1 image ready.", timeout=300_000)
    page.set_input_files("#add-input", image)
    expect(line).to_have_text("1 image ready. It was there before.", timeout=300_000)


def test_a_search_among_the_first_images_says_how_many_are_ready(
    opened: Callable, samples: Path, stack: server.Running
) -> None:
    page, watch = opened("/?collection=first")
    watch.allow("status of 404 .*/api/v1/search")
    expect(page.locator("#empty-title")).to_have_text("Start with some large images")
    with stack.paused("index"):
        page.set_input_files("#add-input", sorted((samples / "photos").iterdir())[:2])
        expect(page.locator("#empty-title")).to_have_text("Your first images are being indexed")
        expect(page.locator("#empty-text")).to_contain_text("0 of 2 images are ready")
        page.set_input_files("#find-input", samples / "queries" / "box.jpg")
        expect(page.locator("#indexing")).to_be_visible()
        expect(page.locator("#indexing")).to_contain_text("0 of 2 images are ready")
        said = (
            "The first images are being indexed: 0 of 2 images ready. Search again when some are."
        )
        expect(page.locator("#search-error")).to_have_text(said)
    expect(page.locator("#indexing")).to_be_hidden(timeout=300_000)


def test_a_folder_without_an_image_says_what_it_left_out(opened: Callable, tmp_path: Path) -> None:
    page, _ = opened("/?collection=no-photos")
    (tmp_path / "papers" / ".git").mkdir(parents=True)
    for name in ("a.pdf", "b.pdf", "notes", "Thumbs.db", ".DS_Store", ".git/x.png"):
        (tmp_path / "papers" / name).write_bytes(b"x")
    page.set_input_files("#folder-input", tmp_path / "papers")
    said = "Nothing to upload. Left out: 2 .pdf, 1 without an ending."
    expect(page.locator(".job .line")).to_have_text(said)


def test_images_that_a_program_adds_are_shown_as_they_come(
    opened: Callable, samples: Path, stack: server.Running
) -> None:
    page, watch = opened("/?collection=program")
    watch.allow("status of 503 .*/readyz")  # the worker is held still for as long as a look takes
    expect(page.locator("#empty-title")).to_have_text("Start with some large images")
    form: dict[str, Any] = {"collection": "program"}
    for n, image in enumerate(sorted((samples / "photos").iterdir())[:2]):
        file = {"name": image.name, "mimeType": "image/jpeg", "buffer": image.read_bytes()}
        with stack.paused("index"):
            page.request.post("/api/v1/images", multipart={**form, "files": file})
            if n == 0:
                expect(page.locator("#empty-text")).to_contain_text("0 of 1 image is ready")
                expect(page.locator(".job h3")).to_have_text("Upload to “program” from elsewhere")
        expect(page.locator("#library .tile")).to_have_count(n + 1, timeout=300_000)
    expect(page.locator(".job")).to_have_count(0)
