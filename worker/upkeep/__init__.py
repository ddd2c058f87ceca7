"""Looking after what is kept: is it whole, and what is made good. Long work, one at a time."""
