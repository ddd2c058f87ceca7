"""The index pipeline: from a job's items to photos that can be found."""
