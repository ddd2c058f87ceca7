"""Searches for many queries: what they are, how they are asked, what is noted of the answers."""
