"""Trees that forget: random draws are hashes of a node's path, all sums are integers."""
