"""BlindBench from Python. Its parts lie in `benchmark` and `methods`."""
