"""Reading pictures, images and queries alike: web checks the header, workers decode.

Boxes everywhere refer to the *upright* image: EXIF orientation applied.
"""

from __future__ import annotations

from common.pictures.formats import FORMATS, READ
from common.pictures.grounds import grounded, is_blank
from common.pictures.pages import Page, count_pages, further_pages
from common.pictures.reading import Header, Picture, decode, inspect, read
from common.pictures.sizes import Room, crop, jpeg, shrunk, thumbnail

__all__ = [
    "FORMATS",
    "READ",
    "Header",
    "Page",
    "Picture",
    "Room",
    "count_pages",
    "crop",
    "decode",
    "further_pages",
    "grounded",
    "inspect",
    "is_blank",
    "jpeg",
    "read",
    "shrunk",
    "thumbnail",
]
