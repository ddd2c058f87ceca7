"""What indexing and searching cost (`make bench`), and whether they hold (`make acceptance`)."""
