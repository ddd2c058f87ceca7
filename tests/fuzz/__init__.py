"""`make fuzz`: bad input by the thousand, sent to a service that really runs (`__main__.py`).

Each input follows from the seed and its number, so that one that did harm can be sent again.
"""
