"""`python -m lab.evaluation`: measures the service and its models on labelled photos."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from common.errors import NeedleError
from common.settings import Settings
from needle.errors import NeedleClientError

_ABOUT = """\
Every figure comes with its 95 % bootstrap interval over the queries; what a run compares is
measured in that run, on the same crops.

  python -m lab.evaluation encoders --encoder new=FOLDER --encoder mini=models/mini
  python -m lab.evaluation pack --models mini --detector F.safetensors
  python -m lab.evaluation detector --weights models/mini --weights F.safetensors
  python -m lab.evaluation categories --archive caltech.tar --encoder mini=models/mini
  python -m lab.evaluation speed --models mini
  python -m lab.evaluation service --dev FOLDER --profile balanced --most-photos 60
  python -m lab.evaluation compare data/eval/*/report.json
  python -m lab.evaluation lookalikes --half 1
  python -m lab.evaluation certainty data/eval/*/answers.jsonl

NEEDLE_* settings apply to `pack`, `speed` and `service`: NEEDLE_TILE_SCALES=1,2 tries other
regions. `encoders`, `detector` and `categories` take NEEDLE_DEVICE, NEEDLE_PRECISION and
NEEDLE_THREADS.
OMP_NUM_THREADS=1 keeps torch to one core.
"""


SHIPPED = "models/mini"

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(argv: list[str] | None = None) -> int:
    """Run the command; 1 where it cannot be carried out."""
    console = Console(width=None if sys.stdout.isatty() else 180)
    parser = _parser()
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


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m lab.evaluation", description=__doc__, epilog=_ABOUT, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    encoders = _command(commands, "encoders", "encoders on the labels' own regions")
    _encoder_option(encoders, required=True)
    pack = _command(commands, "pack", "a detector and an encoder, on the regions they would index")
    _pack_options(pack)
    _encoder_option(pack, required=False)
    pack.add_argument(
        "--references", action="store_true", help="the untrained references too, on the same crops"
    )
    detector = _command(commands, "detector", "how many labelled things detectors find")
    detector.add_argument(
        "--weights",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="a network's folder, or YOLOv5 weights (.safetensors, .pt); again for more, side by "
        "side",
    )
    categories = _command(commands, "categories", "how well whole photos of a kind are found")
    _encoder_option(categories, required=False)
    categories.add_argument(
        "--archive",
        type=Path,
        required=True,
        metavar="FILE",
        help="a .tar of folders of photos named after kinds, or a folder of such folders",
    )
    categories.add_argument(
        "--each", type=int, default=6, metavar="N", help="photos of each kind (%(default)s)"
    )
    speed = _command(commands, "speed", "a pack's photos a second against YOLOv5n + CLIP ViT-B/32")
    _pack_options(speed)
    speed.add_argument(
        "--against", type=Path, metavar="FILE", help="YOLOv5n weights (SHARED/weights/...)"
    )
    service = _command(commands, "service", "the running service, over HTTP, beside references")
    _pack_options(service)
    _service_options(service)
    compare = commands.add_parser("compare", help="runs of the service, side by side")
    compare.add_argument("reports", type=Path, nargs="+", metavar="REPORT", help="report.json")
    _output_options(compare)
    lookalikes = commands.add_parser(
        "lookalikes", help="whether `found` is said of drawn things that only look alike"
    )
    lookalikes.add_argument("--models", default="mini", help="the pack: mini, standard or a folder")
    lookalikes.add_argument(
        "--half", type=int, choices=(0, 1), help="every second scene: to fit to, or to judge on"
    )
    lookalikes.add_argument("--answers", type=Path, metavar="FILE", help="write the answers there")
    certainty = commands.add_parser("certainty", help="fit how sure finds are to a run's answers")
    certainty.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="answers.jsonl")
    return parser


def _service_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile",
        choices=("fast", "balanced", "thorough"),
        default="balanced",
        help="how finely photos are cut into regions (%(default)s)",
    )
    parser.add_argument(
        "--most-queries", type=int, metavar="N", help="only N boxes and N second photographs"
    )
    parser.add_argument(
        "--large",
        type=Path,
        metavar="FOLDER",
        help="large photos, labelled as the others are, whose boxes are asked for by pixels of "
        "their sides (default: SHARED/data/large, if it is there)",
    )
    parser.add_argument(
        "--most-windows",
        type=int,
        metavar="N",
        help="only N boxes of the large photos, each asked twice; 0 leaves the photos out",
    )
    parser.add_argument(
        "--verify-budget-ms",
        type=int,
        metavar="MS",
        help="longest time that verifying may take; unset: the service's own, 1500",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data/eval"),
        metavar="FOLDER",
        help="everything is kept there, the index too (default: %(default)s)",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")


def _output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")


def _command(commands: _Commands, name: str, about: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with data/dev and weights (default: %(default)s)",
    )
    parser.add_argument(
        "--dev",
        type=Path,
        help="labelled photos: a folder with photos.jsonl, COCO JSON or VOC XML, or a COCO file "
        "(default: SHARED/data/dev)",
    )
    parser.add_argument(
        "--most-photos", type=int, metavar="N", help="only N photos, evenly spread over the set"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def _encoder_option(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--encoder",
        type=_named,
        action="append",
        required=required,
        default=None if required else [],
        metavar="NAME=WHERE",
        help="a network's folder or a CLIP checkpoint, and its name; again for more, side by side",
    )


def _pack_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", default="mini", help="the pack: mini, standard or a folder (%(default)s)"
    )
    parser.add_argument(
        "--detector", metavar="FILE", help="YOLOv5 weights instead of the pack's own"
    )


def _named(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=WHERE")
    return name, folder


if __name__ == "__main__":
    sys.exit(main())
