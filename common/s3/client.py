"""The connection to a server of S3: the one place that makes it, with its limits of time."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from common.s3.errors import translated

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 10
ATTEMPTS = 2
"""Of each request: what stays away is waited for by tasks, which are tried again as a whole."""
CONNECTIONS = 32


def connect(endpoint: str | None, region: str | None) -> Any:
    """Return a client of its own session, for several threads; nothing is sent yet.

    Without an `endpoint` the server is Amazon's.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        signature_version="s3v4",
        # Other stores than Amazon's do not know the checksums that boto3 would add unasked, nor
        # buckets as parts of their name.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    with translated("be reached"):
        session = boto3.session.Session(region_name=region)
        region = session.region_name or "us-east-1"
        return session.client("s3", region_name=region, endpoint_url=endpoint, config=config)
