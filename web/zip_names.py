"""The names in zip archives: those that do not say that they are UTF-8 are of whatever country.

The format knows code page 437 and UTF-8 (APPNOTE 4.4.4 and D.1). Windows writes the code page of
its country all the same, and marks nothing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

import chardet

_UTF_8 = 0x800
_FORMATS_OWN = "cp437"
_READ_BYTES = 1 << 14
_LEAST_CONFIDENCE = 0.1


def of(archive: zipfile.ZipFile) -> Sequence[str]:
    """Return the names of an archive's members, in their order."""
    members = archive.infolist()
    raw = [_raw(member) for member in members]
    unmarked = b"\n".join(each for each in raw if each is not None and not each.isascii())
    encoding = _encoding(unmarked) if unmarked else _FORMATS_OWN
    return [
        member.filename if name is None or name.isascii() else name.decode(encoding, "replace")
        for member, name in zip(members, raw, strict=True)
    ]


def _raw(member: zipfile.ZipInfo) -> bytes | None:
    """Return a name's bytes; None for one that is marked as UTF-8."""
    if member.flag_bits & _UTF_8:
        return None
    return member.orig_filename.encode(_FORMATS_OWN, "replace")


def _encoding(names: bytes) -> str:
    """Return the encoding of all names together: one alone is too short to tell."""
    if len(names) > _READ_BYTES:
        names = names[:_READ_BYTES].rpartition(b"\n")[0] or names
    try:
        names.decode()
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"  # as on Linux and a Mac, which mark nothing either
    found = chardet.detect(names)
    encoding, confidence = found["encoding"], found["confidence"]
    if encoding is None or confidence < _LEAST_CONFIDENCE:
        return _FORMATS_OWN
    try:
        names.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return _FORMATS_OWN
    return encoding
