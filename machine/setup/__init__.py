"""Makes a machine ready: `.venv`, Debian's packages, a Chromium for the tests of the page.

`bootstrap` runs before anything is installed, so nothing is imported here.
"""
