"""One network that sees a whole image once: what it saw is read off for any box of it."""
