"""The run as tables, JSON and a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lab.bench import plots, report
from lab.bench.figures import BASELINE, HTTP, IN_PROCESS, LIMIT, PLAIN, SMALL, Run, Spent, stages
from lab.bench.hardware import Machine
from lab.bench.measured import Measured, Staged
from lab.evaluation.report import nulled

LAPS = stages({"decode": Spent(0.5, 0.5), "encoder": Spent(3.0, 6.0)}, Spent(4.0, 7.0))


def run(way: str, wall_s: float, profile: str | None = "balanced") -> Run:
    """Return a run over ten small photos."""
    return Run(way, SMALL, profile, 10, 3.0, Spent(wall_s, wall_s))


MEASURED = Measured(
    machine=Machine("A processor", 2, ("avx2",), 24.0, "Linux", 0.1),
    cap="not capped",
    models={"name": "mini", "precision": "float32"},
    runs=[run(PLAIN, 8.0, None), run(IN_PROCESS, 4.0), run(LIMIT, 3.0), run(HTTP, 4.0)],
    staged=[Staged(IN_PROCESS, SMALL, "balanced", 10, LAPS, 30)],
    searches={"plain pipeline": [5.0], "Needle, idle": [100.0, 200.0], "Needle, busy": []},
    bytes={"photos as posted": 80_000.0, "thumbnails": 20_000.0, "visual words": 5_000.0},
    regions=300.0,
    peaks_mib={"redis": 20.0},
)
IN_TURNS = replace(
    MEASURED, turns=[run(HTTP, 1.0), run(BASELINE, 10.0), run(HTTP, 1.0)], baseline="other"
)


def lines(key: str, measured: Measured = MEASURED) -> list[tuple[object, ...]]:
    """Return the lines of one table."""
    (found,) = [sheet for sheet in report.sheets(measured) if sheet.key == key]
    return list(found.lines)


def test_every_way_of_indexing_has_its_line() -> None:
    assert [line[1] for line in lines("speeds")] == [PLAIN, IN_PROCESS, LIMIT, HTTP]
    assert lines("speeds")[1][4] == 2.5


def test_stages_are_milliseconds_a_photo() -> None:
    table = lines(f"stages, {IN_PROCESS}, small photos, balanced")
    assert table[0] == ("decode", 50.0, 50.0, "12%")
    assert [line[0] for line in table] == ["decode", "encoder", "other", "whole"]


def test_the_photo_itself_stands_apart_on_disk() -> None:
    assert dict(lines("disk")) == {
        "thumbnails": 20.0,
        "visual words": 5.0,
        "all without the photo itself": 25.0,
        "the photo itself": 80.0,
    }


def test_a_baseline_is_compared_over_all_turns() -> None:
    assert not any(sheet.key == "turns" for sheet in report.sheets(MEASURED))
    assert len(lines("turns", IN_TURNS)) == 3
    (found,) = [line for line in lines("ratios", IN_TURNS) if line[3] == BASELINE]
    assert found[4] == 10.0


def test_a_busy_machine_is_named_as_one() -> None:
    busy = replace(MEASURED, machine=replace(MEASURED.machine, load=7.0))
    assert "busy" in report.machine(busy).about
    assert not report.machine(MEASURED).about


def test_all_of_it_is_json_and_markdown() -> None:
    facts = json.loads(json.dumps(nulled(IN_TURNS.as_json())))
    assert facts["ratios"] and facts["stages"][0]["laps"]["other"] == {"wall_s": 0.5, "cpu_s": 0.5}
    assert "### Indexing" in "\n".join(report.markdown(MEASURED))


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    plots.draw(MEASURED, tmp_path / "new" / "bench.png", Console(quiet=True))
    assert (tmp_path / "new" / "bench.png").read_bytes().startswith(b"\x89PNG")
