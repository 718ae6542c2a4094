"""Pre-training of the networks that methods start from: one module per training, one loop for all."""
