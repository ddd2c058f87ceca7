"""The index pipeline: from a job's items to images that can be found."""
