"""Settings: validated all at once, and their table in docs/SETTINGS.md tells the truth."""

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
    others = ("PORT", "NEEDLE_TEST_SHARED", "NEEDLE_URL", "NEEDLE_CHROMIUM", "NEEDLE_SCREENSHOTS")
    settings = Settings.from_env({"NEEDLE_PORT": "", **dict.fromkeys(others, "x")})
    assert settings == Settings.from_env({})


def test_the_key_of_the_qdrant_server_is_not_printed() -> None:
    assert "secret" not in repr(Settings.from_env({"NEEDLE_QDRANT_API_KEY": "secret"}))


def test_no_task_can_outlive_its_lease() -> None:
    settings = Settings.from_env({"NEEDLE_TASK_TIME_LIMIT_S": "500"})
    assert settings.longest_task_s > 500 + 30


def test_the_table_of_settings_has_every_one_with_its_default_and_meaning() -> None:
    row = re.compile(r"^\| `(NEEDLE_\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
    table = {name: words for name, *words in row.findall((REPO / "docs/SETTINGS.md").read_text())}
    assert table == {
        PREFIX + name.upper(): [
            "" if field.default in (None, "") else f"`{field.default}`",
            field.description,
        ]
        for name, field in Settings.model_fields.items()
    }
