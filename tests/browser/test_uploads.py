"""Uploads that are cut off: by a reload, by a connection that breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser import server

# The images arrive, and the answer is lost on its way back, once.
LOSE_AN_ANSWER = """
  const { send, setRequestHeader } = XMLHttpRequest.prototype;
  window.keys = [];
  XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
    if (name === "Idempotency-Key") window.keys.push(value);
    return setRequestHeader.call(this, name, value);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (window.keys.length === 1) this.onload = this.onerror;
    return send.call(this, body);
  };
"""


def test_progress_is_taken_up_again_after_a_reload(
    opened: Callable, samples: Path, stack: server.Running
) -> None:
    page, _ = opened("/?collection=reloaded")
    card = page.locator(".job")
    with stack.paused("index"):
        page.set_input_files("#add-input", sorted((samples / "photos").iterdir())[:2])
        expect(card.locator(".line")).to_have_text("2 images waiting to be indexed …")
        page.reload()
        expect(card).to_contain_text("Upload to “reloaded”")
        expect(card.locator(".line")).to_have_text("2 images waiting to be indexed …")
    expect(card.locator(".line")).to_have_text("2 images ready.", timeout=300_000)
    expect(page.locator("#library .tile")).to_have_count(2)


def test_images_whose_answer_was_lost_are_sent_again_and_make_one_job(
    opened: Callable, samples: Path
) -> None:
    page, _ = opened("/?collection=broken")
    jobs = page.request.get("/api/v1/jobs?kind=index").json()["total"]
    page.add_init_script(LOSE_AN_ANSWER)
    page.reload()
    page.set_input_files("#add-input", min((samples / "photos").iterdir()))
    line = page.locator(".job .line")
    expect(line).to_have_text(re.compile("Connection lost, retrying"))
    expect(line).to_have_text("1 image ready.", timeout=300_000)
    first, second = page.evaluate("window.keys")
    assert first == second
    assert page.request.get("/api/v1/jobs?kind=index").json()["total"] == jobs + 1
