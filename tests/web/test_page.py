"""The page at `/`: served from the package, closed to the outside, true to the API."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from common.contract.requests import QueryFields
from common.pictures import READ
from needle.archives import ENDINGS
from needle.uploads import IMAGE_SUFFIXES
from web.page import POLICY, STATIC

SCRIPTS = sorted(path for path in STATIC.rglob("*.js") if path.name != "docs.js")
SCRIPT = "\n".join(path.read_text() for path in SCRIPTS)
REQUEST = re.compile(r"""(?:\bcall|\.open)\("(GET|POST|PATCH|DELETE)", ["`]([^"`]+)["`]""")
LINK_MADE_HERE = 1  # the crop of a box, which `cropUrl` makes; every other address is requested
ELEMENT = re.compile(r"""\$\("([^"]+)"\)""")
IMPORT = re.compile(r"""from "(\.[\w./]+)";""")


def _page() -> str:
    return (STATIC / "index.html").read_text()


def test_the_page_is_html_under_a_strict_policy(client: FlaskClient) -> None:
    with client.get("/") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        assert answer.text == _page()
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert "unsafe" not in policy


def test_html_has_the_policy_by_its_other_path_too_and_icons_a_stricter_one(
    client: FlaskClient,
) -> None:
    with client.get("/static/index.html") as answer:
        assert answer.headers["Content-Security-Policy"] == POLICY
    with client.get("/static/icon.svg") as answer:
        assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_the_policy_allows_all_that_the_page_holds() -> None:
    page = _page()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all(inside == "" for inside in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S))
    assert 'setAttribute("style"' not in SCRIPT and "innerHTML" not in SCRIPT


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in filter(Path.is_file, STATIC.rglob("*")):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert not re.search(r"https?://|[\"'(]//\w", text), path.name


def test_the_page_the_client_and_the_service_know_the_same_formats() -> None:
    script = (STATIC / "upload/files.js").read_text()
    known = set(re.findall(r'"(\.\w+)"', script.partition("READ = new Set(")[2].partition(")")[0]))
    packed = {f".{ending.rpartition('.')[2]}" for ending in ENDINGS}
    assert known == IMAGE_SUFFIXES | packed
    for name in ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC", "AVIF", "JPEG 2000", "raw"):
        assert name in READ and name in _page(), name


def test_every_asset_of_the_page_exists_and_has_its_type(client: FlaskClient) -> None:
    kinds = {"js": "javascript", "css": "text/css", "svg": "image/svg+xml"}
    assets = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', _page()))
    assets |= {f"/static/{path.relative_to(STATIC)}" for path in SCRIPTS}
    for asset in assets:
        with client.get(asset) as answer:
            assert answer.status_code == 200, asset
            assert kinds[asset.rsplit(".")[-1]] in answer.mimetype
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/static/app.js"])
def test_a_browser_that_has_a_file_is_answered_304(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"
    with client.get(path, headers={"If-None-Match": etag}) as answer:
        assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpage.py", "../page.py", "."])
def test_nothing_else_of_the_package_is_served(client: FlaskClient, name: str) -> None:
    with client.get(f"/static/{name}") as answer:
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


def test_every_request_of_the_scripts_is_a_route_of_the_app(app: Flask) -> None:
    requests = REQUEST.findall(SCRIPT)
    named = SCRIPT.count("/api/v1/") + SCRIPT.count('"/readyz"')
    assert len(requests) == named - LINK_MADE_HERE >= 12
    routes = app.url_map.bind("localhost")
    for method, path in requests:
        routes.match(re.sub(r"\$\{\w+\}", "x", path).split("?")[0], method)


def test_every_element_that_the_scripts_name_is_on_the_page() -> None:
    ids = re.findall(r'\bid="([^"]+)"', _page())
    assert len(ids) == len(set(ids))
    assert set(ELEMENT.findall(SCRIPT)) <= set(ids)
    referred = re.findall(r'(?:aria-controls|for|popovertarget|aria-labelledby)="([^"]+)"', _page())
    assert set(referred) <= set(ids)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_module_is_short_and_imports_what_is_there(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 250
    assert all((path.parent / name).is_file() for name in IMPORT.findall(text))


def test_each_choice_beside_the_query_is_a_field_of_the_request() -> None:
    tags = re.findall(r"<input ([^>]*data-value=[^>]*)>", _page())
    fields = QueryFields.model_fields
    for tag in tags:
        name, value = re.findall(r'\bid="([^"]+)".* data-value="([^"]+)"', tag)[0]
        QueryFields.model_validate_json(f'{{"{name}": {value}}}', strict=True)
        assert name in fields and fields[name].default != json.loads(value)
    assert len(tags) >= 3
