"""Many workers on one machine, each with a network of its own: do twice as many do twice as much?

`make scaling` (root; Linux). Every worker runs in a network namespace, so that nothing but Redis,
the vector store and the images is shared. The encoder's cost is simulated: a device that is busy
for a while and takes no processor, so that two cores do not hide what more workers bring.
"""
