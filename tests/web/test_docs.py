"""`/docs`: served from the package, under the policy of the page, in need of nothing else."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from web.page import POLICY, STATIC

SCRIPT = (STATIC / "docs.js").read_text()
PAGE = (STATIC / "docs.html").read_text()


def test_the_page_is_html_under_the_policy(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.mimetype, answer.text) == (200, "text/html", PAGE)
    assert answer.headers["Content-Security-Policy"] == POLICY


def test_the_page_holds_nothing_that_the_policy_forbids() -> None:
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", PAGE)
    assert "innerHTML" not in SCRIPT and "eval(" not in SCRIPT
    assert all(link.startswith("/") or link[0] == "#" for link in re.findall(r'href="(.+?)"', PAGE))


def test_all_that_it_loads_is_there(client: FlaskClient) -> None:
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', PAGE):
        with client.get(asset) as answer:
            assert answer.status_code == 200, asset
    ids = set(re.findall(r'\bid="([^"]+)"', PAGE))
    assert set(re.findall(r'\$\("([^"]+)"\)', SCRIPT)) <= ids


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_a_browser_asks_whether_it_still_holds(client: FlaskClient, path: str) -> None:
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
