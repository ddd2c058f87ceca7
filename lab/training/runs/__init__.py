"""What every run shares: its steps, its state and losses on disk, its losses drawn."""
