"""The run as tables."""

from __future__ import annotations

from collections.abc import Iterator

from lab.bench.figures import WHOLE, percentile
from lab.bench.measured import Measured, Staged
from lab.bench.service import LEFT_OUT
from lab.evaluation.service.sheets import Sheet


def sheets(measured: Measured) -> list[Sheet]:
    """Return every table that the run has something to say in."""
    found = [machine(measured), speeds(measured), ratios(measured)]
    found += [stages(staged) for staged in measured.staged]
    found += [searches(measured), disk(measured), memory(measured)]
    if measured.turns:
        found.insert(3, turns(measured))
    return found


def machine(measured: Measured) -> Sheet:
    """Return what was measured on."""
    found, models = measured.machine, measured.models
    lines: dict[str, str | int] = {
        "processor": found.cpu,
        "cores": found.cores,
        "instructions": ", ".join(found.instructions) or "not known",
        "held to": measured.cap,
        "memory": f"{found.memory_gib:.0f} GiB",
        "system": found.system,
        "load at the beginning": f"{found.load:.1f}",
        "models": ", ".join(
            f"{name} {value}"
            for name, value in sorted(models.items())
            if not isinstance(value, dict)
        ),
    }
    about = "Seconds that pass mean little here: the machine was busy." if found.busy else ""
    return Sheet("machine", "The machine", about, ("what", "which"), tuple(lines.items()))


def speeds(measured: Measured) -> Sheet:
    """Return how many photos and megapixels a second each way indexes."""
    lines = tuple(
        (
            *(run.size, run.way, run.profile or "-", run.photos),
            *(run.photos_per_s, run.megapixels_per_s, run.cpu_s_per_photo),
        )
        for run in sorted(measured.runs, key=lambda run: run.size, reverse=True)
    )
    return Sheet(
        "speeds",
        "Indexing",
        "Seconds that pass, models loaded. Over HTTP: from the first POST until the last photo is "
        "searchable. CPU seconds are those of all processors together.",
        ("photos", "way", "profile", "of", "photos/s", "MP/s", "CPU s a photo"),
        lines,
    )


def ratios(measured: Measured) -> Sheet:
    """Return how many times faster one way is than another."""
    lines = tuple(
        (found.size, found.of, found.profile or "-", found.to, found.wall, found.cpu)
        for found in sorted(measured.ratios(), key=lambda found: found.size, reverse=True)
    )
    return Sheet(
        "ratios",
        "How many times the photos a second",
        "By the seconds that passed, and by processor seconds. The forward passes alone are the "
        "limit: 1 would be all of it, overlap may pass it.",
        ("photos", "of", "profile", "to", "times", "times, by CPU"),
        lines,
    )


def turns(measured: Measured) -> Sheet:
    """Return the turns of this checkout and the baseline."""
    lines = tuple(
        (run.size, run.way, run.photos, run.photos_per_s, run.megapixels_per_s, run.cpu_s_per_photo)
        for run in measured.turns
    )
    return Sheet(
        "turns",
        "In turns with the baseline",
        f"The other checkout: {measured.baseline}. The same photos, one service after the other.",
        ("photos", "way", "of", "photos/s", "MP/s", "CPU s a photo"),
        lines,
    )


def stages(staged: Staged) -> Sheet:
    """Return the stages of one way, which sum up to the whole."""
    whole = staged.laps[WHOLE].wall_s
    lines = tuple(
        (
            stage,
            spent.wall_s / staged.photos * 1000,
            spent.cpu_s / staged.photos * 1000,
            f"{spent.wall_s / whole:.0%}" if whole else "-",
        )
        for stage, spent in staged.laps.items()
    )
    what = f"{staged.way}, {staged.size} photos" + (f", {staged.profile}" if staged.profile else "")
    passes = staged.forward_passes
    seen = "" if passes is None else f" {passes / staged.photos:.1f} forward passes a photo."
    return Sheet(
        f"stages, {what}",
        f"Stage by stage: {what}",
        f"Milliseconds a photo, over {staged.photos}, one stage at a time.{seen}",
        ("stage", "ms", "CPU ms", "share"),
        lines,
    )


def searches(measured: Measured) -> Sheet:
    """Return how long a search takes."""
    lines = tuple(
        (name, len(spent), percentile(spent, 0.5), percentile(spent, 0.95))
        for name, spent in measured.searches.items()
    )
    return Sheet(
        "searches",
        "A search",
        "Milliseconds from the request to the answer, one at a time; those of the plain pipeline "
        "without HTTP.",
        ("who", "of", "p50", "p95"),
        lines,
    )


def disk(measured: Measured) -> Sheet:
    """Return what a small photo takes on disk."""
    kept = {kind: size / 1000 for kind, size in measured.bytes.items() if kind != LEFT_OUT}
    lines = [*kept.items(), ("all without the photo itself", sum(kept.values()))]
    lines.append(("the photo itself", measured.bytes.get(LEFT_OUT, 0.0) / 1000))
    return Sheet(
        "disk",
        "On disk",
        f"Kilobytes of a small photo, {measured.regions:.0f} regions each. Segments and logs of "
        "the engine are shared by few photos here: a large collection takes less of each.",
        ("what", "kB"),
        tuple(lines),
    )


def memory(measured: Measured) -> Sheet:
    """Return the most memory that each process had."""
    return Sheet(
        "memory",
        "Memory",
        "Most that each process had resident at once (VmHWM), MiB.",
        ("process", "MiB"),
        tuple(measured.peaks_mib.items()),
    )


def markdown(measured: Measured) -> Iterator[str]:
    """Yield the tables as Markdown."""
    for sheet in sheets(measured):
        yield sheet.markdown()
