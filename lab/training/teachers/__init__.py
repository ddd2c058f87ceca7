"""Trained detectors that say of the photos what nobody had to draw."""
