"""The ids of images, as the service makes them: what is indexed is known without being sent."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

NAMESPACE = uuid.UUID("6f1d2c0a-93f4-5f0e-9d53-5b1d0a4c7e11")
"""The service's (`common.ids`); were they to differ, everything would be sent again, no more."""

DEFAULT_COLLECTION = "default"


def digest(content: bytes) -> str:
    """Return the SHA-256 of an image's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits. Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()


def image_id(sha256: str, collection: str | None = None) -> str:
    """Return the id that the image of that digest has in a collection."""
    return str(uuid.uuid5(NAMESPACE, f"{collection or DEFAULT_COLLECTION}:{sha256}"))
