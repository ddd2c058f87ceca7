"""The search pipeline: from a question to an answer."""
