"""The progress bar of much work, for the command line and the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
)
from rich.text import Text

from needle.tally import OnProgress, OnTally, Tally


@contextmanager
def progress_bar(console: Console, total: int, what: str = "Indexing") -> Iterator[OnProgress]:
    """Show a bar with rate, time left and failures; yield what takes `index_all`'s progress."""
    with tally_bar(console, what) as told:
        yield lambda done, failed: told(Tally(total=total, done=done, failed=failed))


@contextmanager
def tally_bar(
    console: Console, what: str = "Indexing", *, things: str = "images"
) -> Iterator[OnTally]:
    """Show such a bar for a total that may still grow; yield what takes a `Bulk`'s tally.

    Nothing is shown while there is nothing to index.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        _Rate(things),
        _TimeLeft(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=None, failed="", visible=False)

        def told(tally: Tally) -> None:
            said = f"[red]{tally.failed} failed" if tally.failed else ""
            ended = tally.done + tally.failed
            shown = tally.total > 0
            progress.update(task, total=tally.total, completed=ended, failed=said, visible=shown)

        yield told


def rate_per_s(task: Task) -> float | None:
    """Return things a second over the whole run, since chunks end in bursts; None before any."""
    seconds = task.finished_time or task.elapsed
    return task.completed / seconds if task.completed and seconds else None


class _Rate(TextColumn):
    def __init__(self, things: str) -> None:
        super().__init__("")
        self._things = things

    def render(self, task: Task) -> Text:
        """Return the rate, nothing before the first one has ended."""
        rate = rate_per_s(task)
        return Text(f"{rate:.1f} {self._things}/s" if rate else "", style="cyan")


class _TimeLeft(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the time left at that rate, and at the end how long it took."""
        rate = rate_per_s(task)
        if task.finished:
            return Text(f"in {clock(task.finished_time or 0)}", style="yellow")
        left = (task.total or 0) - task.completed
        return Text(f"{clock(left / rate)} left" if rate else "", style="cyan")


def clock(seconds: float) -> str:
    """Return a time as `m:ss`, or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
