"""The vector stores: a point a region, its payload carrying its photo. Qdrant stays in here."""
