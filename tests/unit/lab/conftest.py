"""What the tests of the lab share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.assets import one_torch_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield
