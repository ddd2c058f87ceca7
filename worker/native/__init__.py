"""Kernels in C: the loops over pixels, keypoints and boxes that numpy would make many passes of.

The set-up compiles `*.c` into one library (`machine/setup/kernels.py`). While one runs, Python's
lock is free, so that threads run side by side.
"""
