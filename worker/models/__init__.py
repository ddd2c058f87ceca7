"""Detectors, encoders and model packs: the only place that imports torch and the networks."""
