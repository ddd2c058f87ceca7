"""The things that scenes are full of: each a pure function (rng, size) -> RGBA picture."""
