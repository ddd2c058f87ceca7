"""The vector stores: a point a region, its payload carrying its image. Qdrant stays in here."""
