"""Deterministic ids: the same content always gets the same name, so a repeat changes nothing."""

from __future__ import annotations

import hashlib
import uuid

NAMESPACE = uuid.UUID("6f1d2c0a-93f4-5f0e-9d53-5b1d0a4c7e11")


def image_id(content: bytes, collection: str) -> str:
    """Return the id of an image: a UUID of its bytes and its collection."""
    return str(uuid.uuid5(NAMESPACE, f"{collection}:{hashlib.sha256(content).hexdigest()}"))


def new_job_id() -> str:
    """Return a random id for a job."""
    return uuid.uuid4().hex
