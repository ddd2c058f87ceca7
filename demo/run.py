"""The demo, step by step: start, index, search, show, stay up."""

from __future__ import annotations

import signal
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.findings import Finding, findings_table, sheet_rows
from demo.pictures import sample_pictures
from demo.plan import Own, Plan
from demo.samples import SampleSet
from machine.stack import Stack
from machine.stack.services import ROOT
from needle import Needle, SearchResult
from needle.bulk import Failure, index_all
from needle.progress import progress_bar
from needle.sheet import Row, results_sheet
from needle.show import match_rows, matches_table, pictured

READY_TIMEOUT_S = 900.0
"""Long, because the first start of a pack from the hub downloads its weights."""
SHOWN_FAILURES = 5
SHOWN_MATCHES = 3
PHOTOS_EACH = 5
"""Photos that each search asks for; the first is judged, the page shows all."""


class Demo:
    """One run of the demo."""

    def __init__(self, plan: Plan, env: Mapping[str, str], console: Console) -> None:
        """Prepare it. Raises InvalidSettings."""
        self._plan = plan
        self._console = console
        self._stack = Stack(env, data_dir=plan.data_dir, on_event=self._tell)
        self._shown: SearchResult | None = None

    def run(self) -> bool:
        """Run it and tell whether everything was found; every process has ended by then.

        With `keep`, that is after Ctrl-C. Raises NeedleError, NeedleClientError, OSError.
        """
        try:
            self._stack.start()
            samples = None if self._plan.own else self._samples()
            self._wait_ready()
            with Needle(self._stack.base_url, patience_s=READY_TIMEOUT_S) as needle:
                if self._plan.own:
                    found = self._search_own(needle, self._plan.own)
                else:
                    assert samples is not None
                    found = self._search_samples(needle, samples)
            if self._plan.keep:
                self._stay_up()
            return found
        finally:
            self._stop()

    def _stop(self) -> None:
        """End every process, even where the terminal is gone and nothing can be said any more."""
        try:
            with self._console.status("Ending every process ..."):
                self._stack.stop()
        finally:
            self._stack.stop()

    def _samples(self) -> SampleSet:
        with self._console.status("Drawing the sample photos ...") as status:
            return sample_pictures(
                ROOT / "data" / "samples",
                lambda done, total: status.update(f"Drawing the sample photos: {done} of {total}"),
            )

    def _wait_ready(self) -> None:
        with self._console.status("Starting Redis, two workers and the web server ..."):
            state = self._stack.wait_ready(READY_TIMEOUT_S)
        self._stack.supervise()
        self._tell(f"The service is ready at [bold]{self._stack.base_url}[/].")
        self._tell(models_notice(state.get("models") or {}))

    def _index(self, needle: Needle, photos: Sequence[Path]) -> None:
        with progress_bar(self._console, len(photos)) as told:
            outcome = index_all(needle, photos, on_progress=told)
        self._tell(f"{outcome.indexed} photos indexed, {outcome.unchanged} were there already.")
        self._tell_failures(outcome.failures)
        if not outcome.failures:  # a photo that left the folder must not be found any more
            for image in list(needle.images()):
                if image.image_id not in outcome.image_ids:
                    needle.delete(image.image_id)

    def _search_samples(self, needle: Needle, samples: SampleSet) -> bool:
        self._index(needle, samples.photos)
        findings = [Finding(q, needle.search(q.path, limit=PHOTOS_EACH)) for q in samples.queries]
        self._console.print(findings_table(findings))
        answered = [finding for finding in findings if finding.right is not None]
        right = sum(bool(finding.right) for finding in answered)
        self._tell_speed([finding.result for finding in findings])
        self._tell(f"{right} of {len(answered)} queries found their photo first.")
        for finding in findings:
            if finding.right is None:
                self._tell(f"{finding.query.name!r}, which no photo shows, was {finding.verdict}.")
        self._draw(sheet_rows(needle, findings))
        self._shown = next((finding.result for finding in findings if finding.right), None)
        return right == len(answered)

    def _search_own(self, needle: Needle, own: Own) -> bool:
        self._index(needle, own.photos)
        result = needle.search(own.query)
        self._console.print(matches_table(result.matches))
        if not result.matches:
            self._tell("Nothing was found.")
            return False
        self._tell_speed([result])
        drawn = pictured(result, SHOWN_MATCHES)
        self._draw(match_rows(needle, own.query, drawn.matches, found=drawn.found))
        self._shown = result
        return True

    def _draw(self, rows: Sequence[Row]) -> None:
        target = self._plan.data_dir / "result.png"
        with self._console.status("Drawing the result ..."):
            results_sheet(rows, title="Needle: small pictures, found in large photos").save(target)
        self._tell(f"The boxes are drawn in [bold]{target}[/].")

    def _tell_speed(self, results: Sequence[SearchResult]) -> None:
        times = [result.timings_ms["total"] for result in results if "total" in result.timings_ms]
        if times:
            index = results[-1].index
            self._tell(
                f"A search of {index.get('regions', 0):,} regions of {index.get('images', 0):,} "
                f"photos took {statistics.median(times):.0f} ms (median)."
            )

    def _tell_failures(self, failures: Sequence[Failure]) -> None:
        for failure in failures[:SHOWN_FAILURES]:
            self._console.print(f"  {failure.name} failed: {failure.reason}", style="red")
        if len(failures) > SHOWN_FAILURES:
            self._tell(f"  and {len(failures) - SHOWN_FAILURES} more failed.")

    def _stay_up(self) -> None:
        page = self._stack.base_url
        if self._shown:
            self._tell(
                f"One of these searches, to open and to share: {page}/?job={self._shown.job_id}"
            )
        self._tell(f"Needle stays up: open [bold]{page}[/] in a browser. Ctrl-C ends it.")
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            self._console.print()

    def _tell(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)


def models_notice(models: Mapping[str, Any]) -> str:
    """Say which model pack is in use, and what that means where it is the small one."""
    pack = str(models.get("name", "unknown"))
    notice = f"Model pack: [bold]{pack}[/]."
    if pack == "mini":
        notice += (
            " It is small, ships with Needle and works offline; NEEDLE_MODELS=standard downloads"
            " YOLOv5s and CLIP ViT-B/32, which know more kinds of things."
        )
    return notice
