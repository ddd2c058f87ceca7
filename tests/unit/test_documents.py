"""The documents tell the truth where a machine can check it: links, files, licences."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "models/*/*.md", "lab/*/*.md", "tests/*/*.md")
    for path in REPO.glob(pattern)
)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(document: Path) -> str:
    """Return a document without its blocks of code."""
    return FENCED.sub("", document.read_text())


def anchors(document: Path) -> Iterator[str]:
    """Yield the anchors of a document's headings, as GitHub and other readers make them."""
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        yield f"{anchor}-{count}" if count else anchor


def links(document: Path) -> list[str]:
    """Return what a document links to or shows, other sites left out."""
    text = re.sub(r"`[^`\n]*`", "", prose(document))
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    return [one or other for one, other in found if "://" not in one + other]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPO)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("name", ["README.md", "NOTICE", "docs/CONTRIBUTING.md", "docs/API.md"])
def test_every_file_that_is_named_is_there(name: str) -> None:
    named = re.findall(r"\b(?:[\w.]+/)+[\w.]+\.(?:py|txt|md|toml)\b", (REPO / name).read_text())
    missing = [path for path in named if not (REPO / path).exists() and path not in IN_PACKAGES]
    assert named and not missing


IN_PACKAGES = (
    "cv2/LICENSE-3RD-PARTY.txt",
    "nvidia/cusparselt/LICENSE.txt",
    "onnxruntime/ThirdPartyNotices.txt",
)


def test_the_readme_leads_to_every_document() -> None:
    found = {link.partition("#")[0] for link in links(REPO / "README.md")}
    pages = {
        str(path.relative_to(REPO))
        for path in (REPO / "docs").iterdir()
        if path.suffix in (".md", ".ipynb")
    }
    assert pages and pages <= found


def test_every_block_of_the_readme_is_run_or_marked_as_not_run() -> None:
    """`tests/end_to_end/test_cli_docs.py` runs those marked `sh` and `python`."""
    marks = re.findall(r"^```(.*?)\n.*?^```$", (REPO / "README.md").read_text(), FENCED.flags)
    assert set(marks) == {"console", "sh", "python"}


def test_the_notice_names_every_package_that_is_installed_once_and_no_other() -> None:
    lock = (REPO / "requirements.txt").read_text()
    installed = set(re.findall(r"^([a-z0-9_.-]+)==", lock, re.MULTILINE))
    section = (REPO / "NOTICE").read_text().split("INSTALLED PACKAGES")[1].split("WHAT THE")[0]
    listed = re.findall(r"[\w.-]+", " ".join(re.findall(r"^    (.+)$", section, re.MULTILINE)))
    assert len(installed) > 50
    assert sorted(listed) == sorted(installed)


def test_the_package_says_the_licence_of_the_file_beside_it() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert all((REPO / name).is_file() for name in project["license-files"])
    text = (REPO / "LICENSE").read_text().split()
    assert text[:4] == ["Apache", "License", "Version", "2.0,"] and len(text) > 1500
