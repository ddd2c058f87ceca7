"""API keys: who may do what. A file in the data folder, so that they are there before Redis is.

The file holds no key, only the SHA-256 of each: a key has 256 random bits, which nobody guesses.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from common.errors import NotFound, StoreUnavailable

PREFIX = "needle"
FILE = "keys.json"


class Scope(StrEnum):
    """What a key is good for; each one for what those before it are, too."""

    READ = "read"  # search, and read everything
    WRITE = "write"  # post and delete images, cancel jobs
    ADMIN = "admin"  # make and delete collections

    def covers(self, needed: Scope) -> bool:
        """Tell whether a key of this scope may do what needs the other one."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Key:
    """A key, as it is kept: `digest` is the SHA-256 of its text in hex, `made_at` Unix seconds."""

    key_id: str
    name: str
    scope: Scope
    digest: str
    made_at: float


class Keys:
    """The keys of a data folder. Reads the file again when it has changed."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def every(self) -> Sequence[Key]:
        """Return all keys, oldest first. Raises StoreUnavailable when the file cannot be read."""
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_ino)
            if seen != self._seen:
                rows = json.loads(self._path.read_bytes())
                found = [Key(**{**row, "scope": Scope(row["scope"])}) for row in rows]
                self._keys, self._seen = {key.key_id: key for key in found}, seen
        except FileNotFoundError:
            self._keys, self._seen = {}, None
        except (OSError, ValueError, TypeError, KeyError) as exc:
            raise StoreUnavailable(f"The file of keys, {self._path}, cannot be read.") from exc
        return list(self._keys.values())

    def find(self, text: str) -> Key | None:
        """Return the key of that text. Takes as long for a wrong one as for a right one."""
        self.every()
        key = self._keys.get(_id_of(text))
        same = hmac.compare_digest(_digest(text), key.digest if key else _digest(""))
        return key if key is not None and same else None

    def make(self, name: str, scope: Scope) -> tuple[Key, str]:
        """Make a key; return it and its text, which is shown this once."""
        key_id = secrets.token_hex(4)
        text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
        key = Key(key_id, name, scope, _digest(text), time.time())
        self._write([*self.every(), key])
        return key, text

    def revoke(self, name: str) -> Key:
        """Take away the key of that id or name; the server heeds it at once. Raises NotFound."""
        every = self.every()
        gone = [key for key in every if name in (key.key_id, key.name)]
        if len(gone) != 1:
            which = "no key" if not gone else "more than one key: give its id"
            raise NotFound(f"There is {which} of the name '{name}'.")
        self._write([key for key in every if key is not gone[0]])
        return gone[0]

    def _write(self, keys: Sequence[Key]) -> None:
        """Write the file, readable for its owner alone, in place of the one before."""
        text = json.dumps([asdict(key) for key in keys], indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".keys-")  # mode 0600
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except OSError as exc:
            raise StoreUnavailable(f"The file of keys cannot be written: {exc.strerror}.") from exc


def _id_of(text: str) -> str:
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
