"""Folders as they are: names that come twice, files that are no photos. Tags that are edited."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect


def test_a_folder_says_what_it_leaves_out_and_photos_keep_their_folders(
    opened: Callable, samples: Path, tmp_path: Path
) -> None:
    first, second = sorted((samples / "photos").iterdir())[:2]
    for folder, photo in (("basel", first), ("zurich", second)):
        (tmp_path / "album" / folder).mkdir(parents=True)
        shutil.copy(photo, tmp_path / "album" / folder / "IMG_1.jpg")
    for name in ("a.pdf", "b.pdf", "clip.mov", "Thumbs.db"):
        (tmp_path / "album" / name).write_bytes(b"x")
    page, _ = opened("/?collection=folders")
    page.set_input_files("#folder-input", tmp_path / "album")
    line = page.locator(".job .line")
    expect(line).to_have_text("2 images ready. Left out: 2 .pdf, 1 .mov.", timeout=300_000)
    names = page.locator("#library .name")
    expect(names).to_have_count(2)
    titles = {names.nth(n).get_attribute("title") for n in range(2)}
    assert titles == {"album/basel/IMG_1.jpg", "album/zurich/IMG_1.jpg"}
    expect(page.get_by_role("button", name="Open album/basel/IMG_1.jpg")).to_be_visible()
    page.fill("#name", "Zurich/")
    expect(names).to_have_count(1)
    expect(page.get_by_role("button", name="Open IMG_1.jpg")).to_be_visible()
    page.fill("#name", "")
    page.select_option("#sort", "name")
    expect(names.first).to_have_attribute("title", "album/basel/IMG_1.jpg")


def chosen_with(samples: Path, folder: Path, others: Mapping[str, bytes]) -> list[Path]:
    """Return an archive of a photo and other files, and a PDF that is chosen beside it."""
    with zipfile.ZipFile(folder / "album.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(min((samples / "photos").iterdir()), "album/one.jpg")
        for name, content in others.items():
            packed.writestr(f"album/{name}", content)
    (folder / "chosen.pdf").write_bytes(b"%PDF-1.4")
    return [folder / "album.zip", folder / "chosen.pdf"]


def test_what_is_no_image_in_an_archive_is_left_out_as_in_a_folder(
    opened: Callable, samples: Path, tmp_path: Path
) -> None:
    names = ("a.pdf", "b.pdf", "clip.mov", "Thumbs.db")
    page, _ = opened("/?collection=packed")
    page.set_input_files("#add-input", chosen_with(samples, tmp_path, dict.fromkeys(names, b"x")))
    line = page.locator(".job .line")
    said = "1 of 2 images ready, 1 failed. Left out: 2 .pdf, 1 .mov."
    expect(line).to_have_text(said, timeout=300_000)
    expect(page.locator(".job .failures")).to_have_text(
        "chosen.pdf: This is a PDF, which is not read: save its pages as images."
    )


def test_what_an_archive_leaves_out_stays_left_out_after_a_reload(
    opened: Callable, samples: Path, tmp_path: Path
) -> None:
    too_much = bytes(64 * 2**20 + 1)  # for an image
    chosen = chosen_with(samples, tmp_path, {"a.pdf": b"x", "long.mov": too_much})
    page, _ = opened("/?collection=packed-before")
    page.set_input_files("#add-input", chosen)
    line = page.locator(".job .line")
    said = "1 of 2 images ready, 1 failed. Left out: 1 .pdf, 1 .mov."
    expect(line).to_have_text(said, timeout=300_000)
    page.reload()
    expect(line).to_have_text(said)
    expect(page.locator(".job .failures li")).to_have_count(1)
    expect(page.locator(".job .failures")).to_contain_text("chosen.pdf:")


def test_tags_are_edited_in_the_viewer(opened: Callable, samples: Path) -> None:
    page, _ = opened("/?collection=tags")
    photo = min((samples / "photos").iterdir())
    form = {"collection": "tags", "metadata": json.dumps({"shop": "Basel", "tags": ["a", "b"]})}
    page.request.post(
        "/api/v1/images",
        multipart={
            **form,
            "files": {"name": photo.name, "mimeType": "image/jpeg", "buffer": photo.read_bytes()},
        },
    )
    page.wait_for_function(
        "async () => (await (await fetch('/api/v1/images?collection=tags')).json()).total === 1",
        timeout=300_000,
    )
    page.reload()
    page.get_by_role("button", name="Open").click()
    details = page.locator("#view-details")
    expect(details).to_contain_text("Basel")
    page.click("#view-edit")
    rows = page.locator("#view-rows .row")
    expect(rows).to_have_count(2)
    rows.nth(0).locator("[name=value]").fill("Bern")
    rows.nth(1).get_by_role("button", name="Remove this row").click()
    page.get_by_role("button", name="Add a tag").click()
    page.locator("#view-rows [name=key]").nth(1).fill("year")
    page.locator("#view-rows [name=value]").nth(1).fill("2024")
    page.click("#view-keep")
    expect(details).to_have_text("shopBernyear2024", timeout=60_000)
    kept = page.request.get("/api/v1/images?collection=tags").json()["images"][0]
    assert kept["metadata"] == {"shop": "Bern", "year": 2024}


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
def test_editing_tags_is_given_up_without_a_change(opened: Callable, way: str) -> None:
    page, _ = opened()
    page.locator("#library .open").first.click()
    details = page.locator("#view-details")
    expect(details).to_have_text("shopBaselyear2024")
    page.click("#view-edit")
    shop = page.locator("#view-rows [name=value]").first
    expect(shop).to_be_focused()
    if way == "Cancel":
        shop.fill("Bern")
        page.click("#view-cancel")
    else:
        page.keyboard.press("Escape")
    expect(details).to_have_text("shopBaselyear2024")
    expect(page.locator("#view-tags")).to_be_hidden()
    expect(page.locator("#view-edit")).to_be_focused()
    page.click("#view-edit")
    expect(shop).to_have_value("Basel")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_nothing_is_typed_while_the_tags_of_several_images_are_saved(opened: Callable) -> None:
    page, watch = opened()
    held: list[Route] = []
    answering = False

    def answer(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
        elif answering:
            refuse(route)
        else:
            held.append(route)

    def refuse(route: Route) -> None:
        error = {"code": "unavailable", "message": "No room for that now."}
        route.fulfill(status=503, json={"error": error})

    page.route("**/api/v1/images/*", answer)
    page.click("#select")
    page.click("#select-all")
    page.click("#tag-selected")
    shop = page.locator("#tags-rows [name=value]").first
    shop.fill("Bern")
    page.click("#tags-save")
    expect(page.locator("#tags-text")).to_contain_text("Saving")
    expect(shop).not_to_be_editable()
    expect(page.locator("#tags-save")).to_be_disabled()
    buttons = page.locator("#tags-rows button")  # of two tags, and one that adds a third
    expect(buttons).to_have_count(3)
    for button in buttons.all():
        expect(button).to_be_disabled()
    watch.allow("503")
    answering = True
    for route in held:
        refuse(route)
    expect(page.locator("#tags-text")).to_have_text("The tags of 4 images were not saved.")
    expect(shop).to_be_editable()
    expect(shop).to_have_value("Bern")
    expect(page.locator("#tags-save")).to_be_enabled()
    expect(buttons).to_have_count(3)
    for button in buttons.all():
        expect(button).to_be_enabled()
