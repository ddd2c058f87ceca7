"""From graphs in float32 to graphs in which the backbone computes in 8 bits: what a CPU runs."""
