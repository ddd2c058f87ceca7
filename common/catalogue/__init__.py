"""The list of images and collections, in Redis."""

from common.catalogue.catalogue import Catalogue
from common.catalogue.records import Collection, ImageRecord, IndexState, check_encoder

__all__ = ["Catalogue", "Collection", "ImageRecord", "IndexState", "check_encoder"]
