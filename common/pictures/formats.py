"""Which formats are read, and what the others are called: no file is refused without its name."""

from __future__ import annotations

from PIL import Image

from common.pictures import heif

FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
    "JPEG2000": "image/jp2",
    "MPO": "image/jpeg",
    "RAW": "image/x-raw",
}
"""The formats that are read, each with its media type. RAW: the preview inside a camera's file."""

READ = (
    "JPEG (also MPO), PNG, WebP, GIF, BMP, TIFF (every page), HEIC and HEIF, AVIF, JPEG 2000, and "
    "the previews inside raw files (DNG, NEF, ARW, CR2, PEF, SRW, RW2, RAF)"
)
"""The same for people."""

# Pillow reads an MPO (a JPEG that holds several) by its JPEG reader, and names it afterwards.
READERS = [heif.FORMAT, *(name for name in FORMATS if name not in ("MPO", "RAW", heif.FORMAT))]

_AS_PHOTO = "save it as JPEG or PNG"
_EXPORT = "export it as JPEG"
_PAGES = "save its pages as images"
_FRAMES = "save the frames that matter as images"
_UNPACK = "unpack it first; zip and tar archives are read"

_STARTS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF", _PAGES),
    (0, b"%!PS", "PostScript", _PAGES),
    (0, b"\xff\x0a", "JPEG XL", _AS_PHOTO),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL", _AS_PHOTO),
    (0, b"II\xbc\x01", "JPEG XR", _AS_PHOTO),
    (0, b"8BPS", "a Photoshop file (PSD)", _EXPORT),
    (0, b"gimp xcf", "a GIMP file (XCF)", _EXPORT),
    (0, b"v/1\x01", "OpenEXR", _AS_PHOTO),
    (0, b"#?RADIANCE", "Radiance HDR", _AS_PHOTO),
    (0, b"AT&TFORM", "DjVu", _PAGES),
    (128, b"DICM", "DICOM", _AS_PHOTO),
    (0, b"\x00\x00\x01\x00", "an icon (ICO)", "save it as PNG"),
    (0, b"icns", "an icon (ICNS)", "save it as PNG"),
    (0, b"qoif", "QOI", "save it as PNG"),
    (0, b"DDS ", "a texture (DDS)", "save it as PNG"),
    (0, b"BPG\xfb", "BPG", _AS_PHOTO),
    (0, b"FLIF", "FLIF", _AS_PHOTO),
    (0, b"SIMPLE  =", "FITS", _AS_PHOTO),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", "save it as PNG"),
    (40, b" EMF", "a Windows metafile (EMF)", "save it as PNG"),
    (0, b"IIRO", "an Olympus raw file (ORF)", _EXPORT),
    (0, b"IIRS", "an Olympus raw file (ORF)", _EXPORT),
    (0, b"MMOR", "an Olympus raw file (ORF)", _EXPORT),
    (0, b"FOVb", "a Sigma raw file (X3F)", _EXPORT),
    (4, b"ftypcrx ", "a Canon raw file (CR3)", _EXPORT),
    (4, b"ftyp", "a video", _FRAMES),
    (0, b"\x1a\x45\xdf\xa3", "a video", _FRAMES),
    (8, b"AVI ", "a video", _FRAMES),
    (0, b"\x00\x00\x01\xba", "a video", _FRAMES),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "packed with Zstandard", _UNPACK),
    (30, b"[Content_Types].xml", "an Office document", _PAGES),
    (30, b"mimetype", "a document", _PAGES),
    (0, b"PK\x03\x04", "a zip archive", "post it where images are indexed"),
    (0, b"\xd0\xcf\x11\xe0", "an Office document", _PAGES),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file", "run `git lfs pull`"),
)
"""(place, what stands there, what that is, what to do instead); the first that fits counts."""

_WORDS: tuple[tuple[bytes, str, str], ...] = (
    (b"<svg", "a drawing (SVG)", "save it as PNG"),
    (b"<!doctype html", "a web page", "post the image itself"),
    (b"<html", "a web page", "post the image itself"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_MOST_WORDS = 1024

# Needle applies its own pixel limit, from the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


def refusal(content: bytes) -> str:
    """Say what a file that no reader knows is, and what to do about it."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        kind = "AVIF" if content[8:12] == b"avif" else "HEIC"
        return f"The {kind} file is damaged, or of a kind that cannot be read: {_EXPORT}."
    for place, start, name, instead in _STARTS:
        if content.startswith(start, place):
            return f"This is {name}, which is not read: {instead}."
    words = content[:_MOST_WORDS].lower()
    for word, name, instead in _WORDS:
        if word in words:
            return f"This is {name}, which is not read: {instead}."
    return f"This is not an image in a format that can be read: {READ}."
