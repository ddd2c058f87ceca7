"""A browser that was sent to an address which is not there gets a page; a program gets JSON."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from web.page import POLICY

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/nothing.js", "/api/v1/images/none", "/api/v1/jobs/none"]
)
def test_a_browser_gets_a_page_that_leads_back(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": BROWSER})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "There is nothing here" in answer.text and 'href="/"' in answer.text
    assert "<!--" not in answer.text and "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "image/avif,image/*,*/*"])
def test_a_program_gets_json(client: FlaskClient, accept: str | None) -> None:
    answer = client.get("/nothing", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert "Accept" in answer.headers["Vary"]


def test_what_would_change_something_is_answered_as_json(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/images/none", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


def test_a_sentence_is_text_and_no_markup(client: FlaskClient) -> None:
    answer = client.get("/api/v1/images?sort=<b>x</b>", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "That did not work" in answer.text and "<b>" not in answer.text
