"""Imports YOLOv5's network without the packages that only its training and plotting need.

`import yolov5` asks for pkg_resources, ultralytics, pandas, matplotlib, seaborn, requests and
psutil, and changes settings of the whole process. Here stand-ins take the place of those
packages while it is imported, and every setting is put back.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from packaging.version import parse

from common.errors import InvalidModel

_STAND_INS = frozenset(
    {"pkg_resources", "ultralytics", "pandas", "matplotlib", "seaborn", "requests", "psutil"}
)
_ENVIRONMENT = {
    "YOLOv5_AUTOINSTALL": "false",
    "YOLOv5_VERBOSE": "false",
    # Else a folder is made in the home directory.
    "YOLOV5_CONFIG_DIR": tempfile.gettempdir(),
}
_OVERWRITTEN = ("OMP_NUM_THREADS", "NUMEXPR_MAX_THREADS", "TF_CPP_MIN_LOG_LEVEL")
_NETWORK = "yolov5.models.yolo"
_LOCK = threading.Lock()


class _Anything:
    """Stands for whatever is looked up in a stand-in; fails as soon as it is really used."""

    def __getattr__(self, name: str) -> _Anything:
        return _Anything()

    def __call__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError("a dependency of yolov5 that Needle leaves out was called")


class _StandIn(ModuleType):
    """A module in which every public name can be looked up."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins, for the thread that made it: other threads import the real packages."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for the left-out packages and their submodules, None for all others."""
        if fullname.split(".")[0] not in _STAND_INS or threading.get_ident() != self._thread:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return an empty stand-in."""
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Fill in the few names that are called while yolov5 is imported."""
        called: dict[str, dict[str, Any]] = {
            "pkg_resources": {"parse_version": parse},
            "ultralytics.utils.checks": {"check_requirements": lambda *_, **__: True},
            "matplotlib": {"rc": lambda *_, **__: None, "use": lambda *_, **__: None},
        }
        vars(module).update(called.get(module.__name__, {}))


def import_yolov5() -> Any:
    """Return the module `yolov5.models.yolo`; imports it on the first call, in about 3 seconds.

    Safe to call from several threads, as long as no other one is importing one of the left-out
    packages for the first time just then. Afterwards environment variables, print options, warning
    filters, `sys.path`, OpenCV's threads and logging are as before. Raises InvalidModel where
    the package is missing or of another version than 7.0.
    """
    with _LOCK:
        if _NETWORK in sys.modules:
            return sys.modules[_NETWORK]
        with ExitStack() as stack:
            for keeper in (_process_settings, _environment, _stand_ins):
                stack.enter_context(keeper())
            return _import()


def _import() -> ModuleType:
    try:
        network = importlib.import_module(_NETWORK)
    except Exception as exc:  # whatever an unknown version raises while it is imported
        for name in [n for n in sys.modules if n.split(".")[0] == "yolov5"]:
            del sys.modules[name]
        raise InvalidModel(
            f"The package yolov5 7.0 cannot be imported ({exc}): install requirements.txt, "
            "or choose a model pack without a detector"
        ) from exc
    logger = logging.getLogger("yolov5")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    return network


@contextmanager
def _process_settings() -> Iterator[None]:
    path, opencv_threads = list(sys.path), cv2.getNumThreads()
    try:
        # yolov5 switches all UserWarnings off for good; its own warnings are not ours to mend.
        with np.printoptions(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        # It appends its own folder, whose `models` and `utils` would become top-level modules.
        sys.path[:] = path
        cv2.setNumThreads(opencv_threads)
        torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, *_OVERWRITTEN)}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _stand_ins() -> Iterator[None]:
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        # A stand-in left behind would be taken for the real package by everyone else.
        for name in [n for n, module in sys.modules.items() if isinstance(module, _StandIn)]:
            del sys.modules[name]
