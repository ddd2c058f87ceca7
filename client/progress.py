"""The progress bar of a bulk index, for the command line and the demo."""

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
    TimeRemainingColumn,
)
from rich.text import Text

from client.bulk import OnProgress


@contextmanager
def progress_bar(console: Console, total: int, what: str = "Indexing") -> Iterator[OnProgress]:
    """Show a bar with rate, time left and failures; yield what takes `index_all`'s progress."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total, failed="")

        def told(done: int, failed: int) -> None:
            said = f"[red]{failed} failed" if failed else ""
            progress.update(task, completed=done + failed, failed=said)

        yield told


class _Rate(TextColumn):
    """Photos a second, over the whole run: chunks end in bursts."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the rate, nothing before the first photo has ended."""
        seconds = task.finished_time or task.elapsed
        if not task.completed or not seconds:
            return Text("")
        return Text(f"{task.completed / seconds:.1f} photos/s", style="cyan")
