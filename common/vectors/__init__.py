"""What web and the worker share of a search of vectors: filters, and how hits are summed up."""
