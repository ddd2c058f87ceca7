"""How a service bears load: `python -m lab.load` (`__main__.py`)."""
