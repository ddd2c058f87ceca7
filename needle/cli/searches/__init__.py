"""`needle search`, carried out: for one query, and for many."""
