"""Trains the models that ship with Needle. Nothing that runs in the service imports this."""
