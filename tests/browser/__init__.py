"""A package, so that pytest ends the service and the browser of these tests before the others."""
