"""How many machines, how much memory and money, and how long a search takes, for so many photos.

`model` works it out of measured constants; `simulation` runs queues and shards and says whether the
model's sums hold once things wait for each other; `loads` measures what the two are held against.
"""
