"""The three heads as they learn: with normalisation, which is folded away in what ships."""
