"""Does Needle say `found` of what only looks alike? Drawn things that differ in one respect."""
