"""From answers to tables, files and plots."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from lab.evaluation.bootstrap import Estimate
from lab.evaluation.report import nulled, write_json
from lab.evaluation.service import report as service_report
from lab.evaluation.service.measured import write_answers
from lab.evaluation.service.sheets import Sheet
from tests.conftest import REPO
from tests.unit.lab.evaluation.helpers import measured


def by_key(sheets: list[Sheet]) -> dict[str, Sheet]:
    return {sheet.key: sheet for sheet in sheets}


def line(sheet: Sheet, *start: str) -> dict[str, object]:
    found = next(row for row in sheet.lines if row[: len(start)] == start)
    return dict(zip(sheet.header, found, strict=True))


def value(cell: object) -> float:
    assert isinstance(cell, Estimate)
    return cell.value


@pytest.fixture(scope="module")
def sheets() -> list[Sheet]:
    return service_report.sheets(measured())


def test_the_needle_curve_goes_by_the_share_of_the_photo(sheets: list[Sheet]) -> None:
    curve = by_key(sheets)["needle curve, exact"]
    assert [row[0] for row in curve.lines][::4] == [
        *("> 16 %", "4-16 %", "1-4 %", "0.25-1 %", "< 0.25 %", "all")
    ]
    assert value(line(curve, "1-4 %", "Needle")["recall@1"]) == 1.0
    assert value(line(curve, "< 0.25 %", "Needle")["recall@1"]) == 0.0
    assert value(line(curve, "all", "Needle")["recall@1"]) == pytest.approx(0.8)
    assert value(line(curve, "all", "plain pipeline")["recall@1"]) == 0.0


def test_every_perturbation_is_asked_of_the_same_boxes(sheets: list[Sheet]) -> None:
    table = by_key(sheets)["perturbations, all sizes"]
    assert {row[1] for row in table.lines} == {10}
    assert value(line(table, "harsh")["recall@1"]) == pytest.approx(0.8)


def test_windows_of_large_photos_go_by_pixels_of_the_side(sheets: list[Sheet]) -> None:
    table = by_key(sheets)["large photos"]
    assert [row[:3] for row in table.lines] == [
        *(("exact", 80, 2), ("exact", 900, 1), ("exact", "all", 3)),
        *(("altered", 80, 2), ("altered", 900, 1), ("altered", "all", 3)),
    ]
    for column in ("recall@1", "top hit IoU >= 0.5", "first and found"):
        assert value(line(table, "exact", 80)[column]) == 0.0
        assert value(line(table, "exact", 900)[column]) == 1.0
        assert value(line(table, "altered", "all")[column]) == pytest.approx(1 / 3)


def test_without_large_photos_there_is_no_such_table() -> None:
    plain = replace(measured(), large=None)
    assert "large photos" not in by_key(service_report.sheets(plain))
    assert service_report.facts(plain, [])["large"] is None


def test_the_open_set_is_judged_by_the_services_word_and_by_proof(sheets: list[Sheet]) -> None:
    table = by_key(sheets)["open set, rules"]
    for rule in ("found", "verified"):
        own = line(table, "all", rule)
        assert value(own["found: precision"]) == 1.0
        assert value(own["not found: recall"]) == 1.0
        assert value(own["not found: precision"]) == pytest.approx(24 / 28)


def test_without_probabilities_there_is_no_reliability_and_no_word() -> None:
    found = by_key(service_report.sheets(measured(probabilities=False)))
    assert "reliability" not in found
    assert {row[1] for row in found["open set, rules"].lines} == {"verified"}
    assert "score and evidence" in found["open set"].about


def test_cost_leaves_the_photo_itself_out(sheets: list[Sheet]) -> None:
    own = line(by_key(sheets)["cost"], "Needle")
    assert (own["regions"], own["kB"]) == (80, 2)
    assert value(own["exact, >= 4 %"]) == 1.0


def test_the_files_hold_every_table(sheets: list[Sheet], tmp_path: Path) -> None:
    quiet = Console(file=io.StringIO())
    service_report.write_markdown(tmp_path / "r.md", "A title", sheets, quiet)
    written = (tmp_path / "r.md").read_text()
    assert written.startswith("## A title\n")
    assert all(f"### {sheet.title}\n" in written for sheet in sheets)
    write_json(tmp_path / "r.json", service_report.facts(measured(), sheets), quiet)
    assert list(json.loads((tmp_path / "r.json").read_text())["tables"]) == list(by_key(sheets))
    write_answers(measured(), tmp_path / "answers.jsonl")
    lines = [json.loads(text) for text in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {own["asked"] for own in lines} == {
        *("among all", "without the right ones", "by embeddings alone"),
        "among the large photos",
    }


def test_reports_of_runs_are_put_side_by_side(sheets: list[Sheet], tmp_path: Path) -> None:
    for name in ("first", "second"):
        facts = {**service_report.facts(measured(), sheets), "run": name}
        (tmp_path / name).write_text(json.dumps(nulled(facts)))
    quiet = Console(file=io.StringIO())
    files = [tmp_path / "first", tmp_path / "second"]
    service_report.compare(files, tmp_path / "both.json", tmp_path / "both.md", quiet)
    both = json.loads((tmp_path / "both.json").read_text())
    assert [row["run"] for row in both["tables"]["bytes"]["lines"]] == [
        *("first", "first", "second", "second")
    ]
    assert (tmp_path / "both.md").read_text().startswith("## first and second\n")


_DRAW = """
import sys
from pathlib import Path
from rich.console import Console
from lab.evaluation.service import plots
from lab.evaluation.service.tables import Counted
from tests.unit.lab.evaluation.helpers import measured
plots.draw(Counted(measured()), Path(sys.argv[1]), Console(quiet=True))
plots.open_set(Counted(measured(probabilities=False))).savefig(sys.argv[1] + "/unsure.png")
"""


def test_every_plot_is_drawn(tmp_path: Path) -> None:
    """In a process of its own: yolov5, which other tests load, does not load after matplotlib."""
    command = [sys.executable, "-W", "error", "-c", _DRAW, str(tmp_path)]
    subprocess.run(command, cwd=REPO, check=True, timeout=120)
    drawn = {path.stem: path for path in tmp_path.glob("*.png")}
    assert set(drawn) == {
        *("needle-curve", "perturbations", "open-set", "unsure", "localisation", "loss-budget")
    }
    for path in drawn.values():
        with Image.open(path) as image:
            assert image.width > 800
            shades = np.asarray(image.convert("L").resize((64, 64)))
        assert len(np.unique(shades)) > 10, f"there is nothing on {path.name}"
