"""Images of 12 to 41 megapixels that nobody has: made from seeds, and asked for by windows."""
