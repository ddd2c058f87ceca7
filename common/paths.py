"""What a file is called: its path as whoever posted it gave it, made comparable and harmless."""

from __future__ import annotations

import unicodedata

LONGEST_PATH, LONGEST_NAME = 1024, 255
_UNNAMED = "unnamed"
_LITTER = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"})


def cleaned(path: str) -> str:
    """Return a path of either kind with "/" between its parts, from its first real folder on.

    Names are composed (NFC): what a Mac writes as two characters is found by the one that is typed.
    """
    # A tar archive may hold names that are no UTF-8.
    text = path.encode("utf-8", "replace").decode()
    text = unicodedata.normalize("NFC", text).replace("\\", "/")
    text = "".join(mark if mark.isprintable() else "?" for mark in text)
    parts = [part.strip() for part in text.split("/")]
    kept = [part for part in parts if part not in ("", ".", "..") and not _is_drive(part)]
    return "/".join(kept)[-LONGEST_PATH:].lstrip("/") or _UNNAMED


def name_of(path: str) -> str:
    """Return the last part of a path that was cleaned."""
    return path.rsplit("/", 1)[-1][-LONGEST_NAME:]


def comparable(text: str) -> str:
    """Return a name as it is compared: composed, and without regard to upper and lower case."""
    return unicodedata.normalize("NFC", text).casefold()


def is_litter(path: str) -> bool:
    """Tell whether a file is one of those that file managers leave behind; `path` is cleaned."""
    parts = path.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1].lower() in _LITTER


def is_hidden(path: str) -> bool:
    """Tell whether a file or a folder that it is in is hidden; `path` is cleaned."""
    return any(part.startswith(".") for part in path.split("/"))


def _is_drive(part: str) -> bool:
    return len(part) == 2 and part[1] == ":" and part[0].isalpha()
