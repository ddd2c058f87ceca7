"""What `python -m lab.evaluation` may be told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

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
  python -m lab.evaluation huge --images 3 --windows 8
  python -m lab.evaluation certainty data/eval/*/answers.jsonl

NEEDLE_* settings apply to `pack`, `speed`, `service` and `huge`: NEEDLE_TILE_SCALES=1,2 tries other
regions. `encoders`, `detector` and `categories` take NEEDLE_DEVICE, NEEDLE_PRECISION and
NEEDLE_THREADS.
OMP_NUM_THREADS=1 keeps torch to one core.
"""

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def arguments_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
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
    _huge_options(_command(commands, "huge", "images of 12 to 41 megapixels, made from seeds"))
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
        "--no-references",
        dest="references",
        action="store_false",
        help="leave out the simpler pipelines, which take longer than everything else",
    )
    _kept(parser, Path("data/eval"))


def _kept(parser: argparse.ArgumentParser, folder: Path) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=folder,
        metavar="FOLDER",
        help="everything is kept there, the index too (default: %(default)s)",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")


def _huge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", default="mini", help="the pack: mini, standard or a folder")
    parser.add_argument("--profile", choices=("fast", "balanced", "thorough"), default="balanced")
    parser.add_argument(
        "--large",
        type=Path,
        metavar="FOLDER",
        help="labelled photos of 6 megapixels and more, whose pieces are put together (default: "
        "SHARED/data/large, if it is there; without any, drawings alone)",
    )
    parser.add_argument(
        "--images", type=int, default=3, metavar="N", help="images of each kind (%(default)s)"
    )
    parser.add_argument(
        "--windows",
        type=int,
        default=8,
        metavar="N",
        help="windows of each side and kind, each asked twice (%(default)s)",
    )
    _kept(parser, Path("data/eval/huge"))


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
