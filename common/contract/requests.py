"""What a request body may say. An unknown or malformed field is refused, never ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from common.contract.fields import (
    DEFAULT_COLLECTION,
    MOST_EXAMPLES,
    BatchSize,
    Box,
    CollectionName,
    EachFromText,
    Filter,
    ImageId,
    LocalFeatures,
    Metadata,
    MetadataChanges,
    Noted,
    Profile,
    SeveralFromText,
    Share,
    Url,
    VerifyBudgetMs,
    WaitS,
    Zoom,
)
from common.contract.reasons import otherwise
from common.errors import BadRequest
from common.vectors.aggregate import Aggregate


class Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MakingFields(Request):
    """How regions are made of images. What is left out is as the server's settings say."""

    confidence_threshold: Share | None = Field(
        default=None, description="Detections of less confidence become no regions."
    )
    batch_size: BatchSize | None = Field(
        default=None, description="How many images go through the detector together."
    )
    profile: Profile | None = Field(
        default=None,
        description="How finely images are cut into regions. More regions cost and find more.",
    )
    local_features: LocalFeatures | None = Field(
        default=None,
        description=(
            "The most local features that are kept of an image of 0.6 megapixels or less. Larger "
            "ones have more in proportion. 0 keeps none."
        ),
    )


class IndexFields(MakingFields):
    """How images are indexed. What is left out is as the server's settings say."""

    collection: CollectionName = Field(
        default=DEFAULT_COLLECTION, description="The collection that the images go into."
    )
    metadata: Metadata | None = Field(
        default=None,
        description=(
            "Kept with each image of the request, answered with it, and to be filtered by. An "
            "image that is indexed already keeps its own as well: of two words under one key both "
            "stay, as a list; any other value is replaced. `PATCH /images/{id}` edits."
        ),
    )
    note: Annotated[list[Noted], SeveralFromText, Field(max_length=len(Noted))] | None = Field(
        default=None,
        description=(
            "What of its file is added to each image's metadata, to be filtered by: `date` (when "
            "it was taken, as `date`, 20240531, and `time`), `camera`, `place` (`latitude` and "
            "`longitude`, as the camera noted them), `folder` (every folder on its path). What "
            "`metadata` says goes before."
        ),
    )


class UrlsRequest(IndexFields):
    """`POST /images` with a JSON body."""

    urls: Annotated[list[Url], Field(min_length=1)] = Field(
        description="Where the service downloads the images."
    )


class ImageChanges(Request):
    """`PATCH /images/{id}`."""

    metadata: MetadataChanges = Field(
        description="What changes of its metadata: a value replaces the old one, null removes the "
        "key, and keys that are not named stay."
    )


class UrlExample(Request):
    """An image that the service downloads, or a part of it."""

    url: Url = Field(description="Where the service downloads the image.")
    box: Box | None = Field(default=None, description="The part of the image that counts.")


class ImageExample(Request):
    """An indexed image, or a part of it."""

    image_id: ImageId = Field(description="The indexed image.")
    box: Box | None = Field(default=None, description="The part of the image that counts.")


Example = Annotated[
    UrlExample | ImageExample,
    otherwise(
        'must be {"url": ...} or {"image_id": ...}, with "box": [x1, y1, x2, y2] where only a part '
        "counts"
    ),
]
Examples = Annotated[list[Example], EachFromText, Field(max_length=MOST_EXAMPLES)]


class MannerFields(Request):
    """What is said of a query beside its image, or of each of many."""

    text: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="The query in words. A model pack without a text side refuses it (422).",
    )
    text_weight: Share = Field(
        default=0.5, description="The share of the text where a search has an image and a text."
    )
    negatives: Examples = Field(
        default_factory=list,
        description="Images of what is not wanted. Places that are more like them are left out.",
    )
    detect: bool = Field(
        default=False,
        description=(
            "Search for each thing in the query by itself. Images that show all of them come first."
        ),
    )
    rotate: bool = Field(
        default=False,
        description="Try quarter turns of the query, too. Its details are found at any angle.",
    )
    same_kind: Share | None = Field(
        default=None,
        description=(
            "How much it counts that an image shows the same kind of thing: 0 looks for the thing "
            "itself alone, 1 for its kind alone. Left out, the kind helps to find the thing where "
            "the query is large, and has its turn where the thing is not found. A text has no kind."
        ),
    )


class QueryFields(MannerFields):
    """What is searched for. The answer to a search repeats these fields as its `query`."""

    url: Url | None = Field(default=None, description="Where the service downloads the query.")
    image_id: ImageId | None = Field(
        default=None, description="An indexed image as the query, or with `box` a part of it."
    )
    box: Box | None = Field(
        default=None, description="The part of the query's image that is searched for."
    )
    examples: Examples = Field(
        default_factory=list,
        description="More images of what is searched for. Any of them will do.",
    )

    def urls(self) -> list[str]:
        """Return every URL whose image the service downloads for the query, each once."""
        named = (self, *self.examples, *self.negatives)
        return list(dict.fromkeys(url for each in named if (url := getattr(each, "url", None))))


class ScopeFields(Request):
    """Where is searched, and how it is answered."""

    collection: CollectionName = Field(
        default=DEFAULT_COLLECTION, description="The collection that is searched."
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="The most images in the answer."
    )
    hits_per_image: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="The most places that are answered of one image."
    )
    min_score: Annotated[float, Field(ge=-1, le=1)] = Field(
        default=-1.0, description="Places of a lower score (cosine similarity) are left out."
    )
    aggregate: Aggregate = Field(
        default=Aggregate.MAX, description="How the scores of an image's hits become its score."
    )
    filter: Filter = Field(
        default_factory=dict, description="What the metadata of the images must be."
    )
    zoom: Zoom | None = Field(
        default=None,
        description=(
            "How many of the best images are looked at closely, at full resolution: up to three "
            "times as many for a small query; 0 for none."
        ),
    )
    verify: bool | None = Field(
        default=None, description="Whether the best images are verified by their local features."
    )
    verify_budget_ms: VerifyBudgetMs | None = Field(
        default=None, description="The longest time that verifying may take (milliseconds)."
    )


class SearchFields(QueryFields, ScopeFields):
    """What is searched for, where, and how it is answered."""


class SearchesFields(MannerFields, ScopeFields):
    """How each of many queries is searched for."""

    hits_per_image: Annotated[int, Field(ge=1, le=100)] = Field(
        default=20, description="The most places that are answered of one image."
    )


class SearchRequest(SearchFields):
    """`POST /search`."""

    wait: WaitS = Field(
        default=10.0,
        description="The answer is held until the search has ended, at most so many seconds.",
    )

    def check_query(self, *, files: int, negative_files: int) -> None:
        """Raise BadRequest unless the request says in one way what it searches for."""
        given = [name for name in ("url", "image_id") if getattr(self, name) is not None]
        if files:
            given.insert(0, "file")
        if len(given) > 1:
            raise BadRequest(
                f"A search takes one of file, url and image_id; {' and '.join(given)} were given. "
                "More images of one thing go into 'examples'."
            )
        if not given and self.text is None and not self.examples:
            raise BadRequest(
                "A search takes an image (one of file, url and image_id), a text, or both; "
                "none was given."
            )
        for name in ("box", "detect"):
            if getattr(self, name) and not given:
                raise BadRequest(f"'{name}' belongs to an image: file, url or image_id.")
        if max(files, negative_files) > MOST_EXAMPLES:
            raise BadRequest(f"At most {MOST_EXAMPLES} files go into one field of a search.")


class VerifyFields(Request):
    """`POST /collections/{name}/verify`."""

    repair: bool = Field(
        default=False,
        description="Whether damaged images are indexed again, and what belongs to no image of "
        "the list is removed.",
    )


class NewCollection(Request):
    """`POST /collections`."""

    name: CollectionName = Field(description="The name of the collection.")
    encoder: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None,
        description="The encoder to bind it to. Another than the one in use is refused (409).",
    )
