"""What answers say, field by field.

Fields may be added, so that a client should pass over those that it does not know; a field that
has a default may be absent.
"""

from __future__ import annotations

from common.contract.answers.base import Answer, Error, FieldFault, ItemFault, Problem, widened
from common.contract.answers.health import Alive, Models, Readiness
from common.contract.answers.images import (
    Collection,
    Collections,
    CollectionWithRegions,
    CropUrls,
    FoundRegion,
    Image,
    Images,
    ImageUrls,
    ImageWithRegions,
    IndexedImage,
    IndexState,
    Region,
    StoredObject,
    StoredObjects,
)
from common.contract.answers.jobs import (
    DeletionResult,
    Item,
    Items,
    Job,
    Jobs,
    ListedJob,
    Progress,
    Webhook,
)
from common.contract.answers.many import QueryFindings, QueryResult, QueryResults
from common.contract.answers.searches import (
    Findings,
    FoundHit,
    FoundMatch,
    Hit,
    Match,
    MatchUrls,
    Query,
    QueryUrls,
    Searched,
    SearchResult,
    Thing,
    Verification,
)
from common.contract.answers.upkeep import BackedUp, DamagedImage, OrphanedImage, Verified

__all__ = [
    "Alive",
    "Answer",
    "BackedUp",
    "Collection",
    "CollectionWithRegions",
    "Collections",
    "CropUrls",
    "DamagedImage",
    "DeletionResult",
    "Error",
    "FieldFault",
    "Findings",
    "FoundHit",
    "FoundMatch",
    "FoundRegion",
    "Hit",
    "Image",
    "ImageUrls",
    "ImageWithRegions",
    "Images",
    "IndexState",
    "IndexedImage",
    "Item",
    "ItemFault",
    "Items",
    "Job",
    "Jobs",
    "ListedJob",
    "Match",
    "MatchUrls",
    "Models",
    "OrphanedImage",
    "Problem",
    "Progress",
    "Query",
    "QueryFindings",
    "QueryResult",
    "QueryResults",
    "QueryUrls",
    "Readiness",
    "Region",
    "SearchResult",
    "Searched",
    "StoredObject",
    "StoredObjects",
    "Thing",
    "Verification",
    "Verified",
    "Webhook",
    "widened",
]
