"""The vector store: a point a region, its payload carrying its parent. Qdrant stays in here."""
