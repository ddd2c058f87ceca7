"""`python -m lab.evaluation`: measures the service and its models on labelled photos."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from common.errors import NeedleError
from common.settings import Settings
from lab.evaluation.arguments import arguments_parser
from needle.errors import NeedleClientError

SHIPPED = "models/mini"


def main(argv: list[str] | None = None) -> int:
    """Run the command; 1 where it cannot be carried out."""
    console = Console(width=None if sys.stdout.isatty() else 180)
    parser = arguments_parser()
    arguments = parser.parse_args(argv)
    names = [name for name, _ in getattr(arguments, "encoder", [])]
    if len(set(names)) < len(names):
        parser.error("two encoders have the same name")
    try:
        _run(arguments, console)
    except KeyboardInterrupt:
        console.print("\nStopped; what was indexed stays.")
        return 130
    except (NeedleError, NeedleClientError, FileNotFoundError) as exc:
        console.print(f"[red]needle:[/red] {getattr(exc, 'message', exc)}", highlight=False)
        return 1
    return 0


def _run(arguments: argparse.Namespace, console: Console) -> None:
    # Imported here: --help must not wait for torch.
    if arguments.command == "compare":
        from lab.evaluation.service import report

        reports, written = arguments.reports, (arguments.json, arguments.markdown)
        report.compare(reports, *written, console)
        return
    if arguments.command == "certainty":
        from lab.evaluation.service import certainty

        certainty.run(arguments.answers, console)
        return
    if arguments.command == "lookalikes":
        from lab.evaluation.lookalikes import run as lookalikes
        from lab.evaluation.pack import environment

        env = environment(arguments.models, None)
        lookalikes.run(env, arguments.half, arguments.answers, console)
        return
    if arguments.command == "huge":
        from lab.evaluation.huge import run as huge

        huge.run(
            huge.Options(
                photos=_large(arguments),
                models=arguments.models,
                profile=arguments.profile,
                images=arguments.images,
                windows=arguments.windows,
                out=arguments.out,
                json=arguments.json,
                markdown=arguments.markdown,
            ),
            console,
        )
        return
    dev = arguments.dev or arguments.shared / "data" / "dev"
    most, json = arguments.most_photos, arguments.json
    if arguments.command == "encoders":
        from lab.evaluation import encoders

        settings = Settings.from_env(os.environ)
        encoders.run(dev, settings, dict(arguments.encoder), most, json, console)
    elif arguments.command == "pack":
        from lab.evaluation import pack

        pack.run(
            dev,
            pack.settings(arguments.models, arguments.detector),
            dict(arguments.encoder),
            arguments.references,
            most,
            json,
            console,
        )
    elif arguments.command == "detector":
        from lab.evaluation import detector

        settings = Settings.from_env(os.environ)
        detector.run(dev, settings, arguments.weights, most, json, console)
    elif arguments.command == "categories":
        from lab.evaluation import categories

        settings = Settings.from_env(os.environ)
        named = dict(arguments.encoder or [("mini", SHIPPED)])
        categories.run(arguments.archive, settings, named, arguments.each, json, console)
    elif arguments.command == "service":
        from lab.evaluation.service import run as service

        service.run(
            service.Options(
                dev=dev,
                large=_large(arguments),
                models=arguments.models,
                detector=arguments.detector,
                profile=arguments.profile,
                out=arguments.out,
                most_photos=most,
                most_queries=arguments.most_queries,
                most_windows=arguments.most_windows,
                budget_ms=arguments.verify_budget_ms,
                references=arguments.references,
                json=json,
                markdown=arguments.markdown,
            ),
            console,
        )
    else:
        from lab.evaluation import pack, speed

        weights = arguments.against or arguments.shared / "weights" / "yolov5n.safetensors"
        settings = pack.settings(arguments.models, arguments.detector)
        speed.run(dev, settings, weights, most or speed.PHOTOS, json, console)


def _large(arguments: argparse.Namespace) -> Path | None:
    """Return the folder of large photos: the one asked for, or the shared one if it is there."""
    if arguments.large is not None:
        chosen: Path = arguments.large
        return chosen
    shared: Path = arguments.shared / "data" / "large"
    return shared if (shared / "photos.jsonl").is_file() else None


if __name__ == "__main__":
    sys.exit(main())
