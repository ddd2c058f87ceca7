"""What the frozen backbone makes of the photos, kept on disk: a head learns from it in minutes."""
