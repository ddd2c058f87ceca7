"""What web and worker share. Imports neither of them, and no torch."""
