"""Pre-training of the networks that methods start from: one module per training, and one loop for all.

A module that defines `TRAINING` registers a training (see `registry`).
"""
