"""From the first image to its deletion, and the ways that go wrong."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser import deeds


def test_upload_progress_box_results_delete(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=way")
    expect(page.locator("#library-empty")).to_be_visible()
    expect(page.locator("#status-words")).to_have_text("Ready")

    images = sorted((samples / "photos").iterdir())[:2]
    page.set_input_files("#add-input", images)
    card = page.locator(".job")
    expect(card.locator("progress")).to_be_visible()
    expect(card.locator(".line")).to_have_text("2 images ready.", timeout=300_000)
    expect(page.locator("#library .tile")).to_have_count(2)
    card.get_by_role("button", name="Dismiss").click()
    expect(card).to_have_count(0)

    deeds.pick(page, images[0].name)
    deeds.drag(page, "#query-stage", (0.3, 0.3), (0.55, 0.7))
    left, top, right, bottom = deeds.box(page)
    assert abs(left - 360) < 12 and abs(top - 240) < 12
    assert abs(right - 660) < 12 and abs(bottom - 560) < 12
    page.get_by_role("button", name="Search with this box").click()
    deeds.wait_for_result(page)
    assert f"box={left},{top},{right},{bottom}" in page.url
    own = page.get_by_role("region", name="This image").locator(".open")
    expect(own).to_have_attribute("aria-label", re.compile(re.escape(images[0].name)))
    deeds.unfold(page)
    expect(page.locator("#groups .open")).to_have_count(2)

    own.click()
    expect(page.locator("#viewer")).to_be_visible()
    page.locator("#viewer").get_by_role("button", name="Delete").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#library .tile")).to_have_count(1)
    expect(page.locator("#live")).to_have_text("Deleted 1 image.")


def test_a_file_that_is_no_image_fails_with_its_reason_beside_one_that_is(
    opened: Callable, samples: Path, tmp_path: Path
) -> None:
    page, _ = opened("/?collection=faults")
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    page.set_input_files("#add-input", [notes, min((samples / "photos").iterdir())])
    card = page.locator(".job")
    expect(card.locator(".line")).to_have_text("1 of 2 images ready, 1 failed.", timeout=300_000)
    expect(card.locator(".failures li")).to_have_text(re.compile(r"^notes\.txt: \S+"))


def test_an_upload_that_is_refused_says_why(opened: Callable, tmp_path: Path) -> None:
    page, watch = opened()
    watch.allow(r"status of 415 .*/api/v1/images")
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    page.set_input_files("#add-input", notes)
    expect(page.locator(".job .line")).to_have_text("0 of 1 image ready, 1 failed.")
    expect(page.locator(".job .failures")).to_contain_text("notes.txt")


def test_an_archive_and_a_folder_are_taken(opened: Callable, samples: Path, tmp_path: Path) -> None:
    page, _ = opened("/?collection=archives")
    images = sorted((samples / "photos").iterdir())
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(images[0], images[0].name)
    page.set_input_files("#add-input", tmp_path / "images.zip")
    expect(page.locator(".job .line")).to_have_text("1 image ready.", timeout=300_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside.jpg").write_bytes(images[1].read_bytes())
    (folder / ".hidden").write_text("left by a file manager")
    page.set_input_files("#folder-input", folder)
    expect(page.locator(".job .line").first).to_have_text("1 image ready.", timeout=300_000)
    expect(page.locator("#library")).to_contain_text("inside.jpg")


def test_an_upload_can_be_cancelled(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=cancelled")
    page.set_input_files("#add-input", sorted((samples / "photos").iterdir()))
    page.locator(".job").get_by_role("button", name="Cancel").click()
    expect(page.locator(".job .line")).to_have_text(re.compile("^Cancelled; "), timeout=300_000)


def test_a_collection_is_made_used_and_deleted(opened: Callable) -> None:
    page, _ = opened()
    page.click("#manage")
    page.fill("#collection-name", "Not a name")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#collection-text")).to_contain_text("at most 63 of these: a-z")
    page.fill("#collection-name", "made-here")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#collection")).to_have_value("made-here")
    assert "collection=made-here" in page.url
    page.get_by_role("button", name="Delete the collection made-here").click()
    page.click("#confirm-yes")
    expect(page.locator("#collection-text")).to_have_text("“made-here” is deleted.")
    expect(page.locator("#collection")).to_have_value("default")


def test_a_collection_with_images_is_deleted_with_them(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=doomed")
    page.set_input_files("#add-input", min((samples / "photos").iterdir()))
    expect(page.locator("#library .tile")).to_have_count(1, timeout=300_000)
    image = page.request.get("/api/v1/images?collection=doomed").json()["images"][0]
    page.click("#manage")
    page.get_by_role("button", name="Delete the collection doomed").click()
    expect(page.locator("#confirm-text")).to_contain_text("Its only image is deleted")
    page.click("#confirm-no")
    expect(page.locator("#collection")).to_have_value("doomed")
    page.get_by_role("button", name="Delete the collection doomed").click()
    page.click("#confirm-yes")
    expect(page.locator("#collection-text")).to_have_text("“doomed” is deleted.")
    expect(page.locator("#collection option[value=doomed]")).to_have_count(0)
    assert page.request.get(image["urls"]["file"]).status == 404


def test_images_are_selected_and_deleted_together(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=several")
    page.set_input_files("#add-input", sorted((samples / "photos").iterdir())[:3])
    expect(page.locator(".job .line")).to_have_text("3 images ready.", timeout=300_000)
    expect(page.locator("#library .tile")).to_have_count(3)
    page.click("#select")
    for tile in page.locator("#library .open").all()[:2]:
        tile.click()
    page.get_by_role("button", name="Delete 2 images").click()
    page.click("#confirm-yes")
    expect(page.locator("#library .tile")).to_have_count(1)
