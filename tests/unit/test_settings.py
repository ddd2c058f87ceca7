"""Settings: validated all at once, and the README's table tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.errors import InvalidSettings
from common.settings import PREFIX, Settings

REPO = Path(__file__).resolve().parents[2]


def test_every_bad_setting_is_named_with_its_value_in_one_error() -> None:
    bad = {"NEEDLE_PORT": "99999", "NEEDLE_DEVICE": "gpu", "NEEDLE_BATCH_SIZE": "0"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(bad)
    for name, value in bad.items():
        assert f"{name}={value!r}" in caught.value.message


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="NEEDLE_PROT is not a setting"):
        Settings.from_env({"NEEDLE_PROT": "1"})


def test_an_empty_value_means_the_default_and_other_variables_are_left_alone() -> None:
    settings = Settings.from_env({"NEEDLE_PORT": "", "PORT": "x", "NEEDLE_TEST_SHARED": "/tmp"})
    assert settings == Settings.from_env({})


def test_the_key_of_the_qdrant_server_is_not_printed() -> None:
    assert "secret" not in repr(Settings.from_env({"NEEDLE_QDRANT_API_KEY": "secret"}))


def test_no_task_can_outlive_its_visibility() -> None:
    settings = Settings.from_env({"NEEDLE_TASK_TIME_LIMIT_S": "500"})
    assert settings.visibility_timeout_s > 500 + 30


def test_the_readme_lists_every_setting_with_its_default() -> None:
    table = dict(
        re.findall(r"^\| `(NEEDLE_\w+)` \| (.*?) \|", (REPO / "README.md").read_text(), re.M)
    )
    expected = {
        PREFIX + name.upper(): "" if field.default in (None, "") else f"`{field.default}`"
        for name, field in Settings.model_fields.items()
    }
    assert table == expected
