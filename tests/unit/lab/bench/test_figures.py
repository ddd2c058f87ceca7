"""What follows from what was measured: sums, ratios, percentiles."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest

from lab.bench.figures import (
    BASELINE,
    HTTP,
    IN_PROCESS,
    LARGE,
    LIMIT,
    OTHER,
    PLAIN,
    SMALL,
    WHOLE,
    Run,
    Spent,
    as_json,
    percentile,
    ratios,
    run_of,
    stages,
    summed,
)


def run(way: str, wall_s: float, *, size: str = SMALL, profile: str | None = None) -> Run:
    """Return a run over ten photos of 3 megapixels together, in twice the processor seconds."""
    return Run(way, size, profile, 10, 3.0, Spent(wall_s, 2 * wall_s))


def test_a_run_says_photos_and_megapixels_a_second() -> None:
    found = run(PLAIN, 5.0)
    assert (found.photos_per_s, found.megapixels_per_s, found.cpu_s_per_photo) == (2.0, 0.6, 1.0)


def test_a_run_that_took_no_time_has_no_speed() -> None:
    assert math.isnan(run(PLAIN, 0.0).photos_per_s)


def test_stages_and_the_rest_sum_up_to_the_whole() -> None:
    laps = {"decode": Spent(1.0, 1.5), "encoder": Spent(2.0, 4.0)}
    found = stages(laps, Spent(3.5, 6.0))
    assert found[OTHER] == Spent(0.5, 0.5)
    assert Spent.of(spent for name, spent in found.items() if name != WHOLE) == found[WHOLE]


def test_what_was_counted_twice_is_not_hidden() -> None:
    assert stages({"a": Spent(2.0, 2.0)}, Spent(1.5, 1.5))[OTHER].wall_s == -0.5


def test_needle_is_held_against_the_plain_pipeline_and_against_its_own_limit() -> None:
    runs = [
        run(PLAIN, 10.0),
        run(IN_PROCESS, 5.0, profile="balanced"),
        run(LIMIT, 4.0, profile="balanced"),
        run(HTTP, 2.5, profile="fast"),
    ]
    found = {(r.of, r.to, r.profile): r.wall for r in ratios(runs)}
    assert found == {
        (IN_PROCESS, PLAIN, "balanced"): 2.0,
        (IN_PROCESS, LIMIT, "balanced"): 0.8,
        (HTTP, PLAIN, "fast"): 4.0,
    }


def test_the_ratio_of_processor_seconds_is_greater_where_they_are_fewer() -> None:
    plain = run(PLAIN, 10.0)
    needle = Run(IN_PROCESS, SMALL, "fast", 10, 3.0, Spent(10.0, 5.0))
    (found,) = ratios([plain, needle])
    assert (found.wall, found.cpu) == (1.0, 4.0)


def test_photos_of_another_size_are_not_compared() -> None:
    assert ratios([run(PLAIN, 1.0), run(HTTP, 1.0, size=LARGE, profile="fast")]) == []


def test_turns_are_summed_before_they_are_compared() -> None:
    found = summed([run(BASELINE, 1.0), run(BASELINE, 4.0)])
    assert (found.photos, found.megapixels, found.spent) == (20, 6.0, Spent(5.0, 10.0))
    with pytest.raises(ValueError, match="no turns"):
        summed([])


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0), (1.0, 4.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_run_survives_json() -> None:
    found = run(HTTP, 2.0, profile="fast")
    assert run_of(asdict(found)) == found
    assert as_json(found)["photos_per_s"] == 5.0
