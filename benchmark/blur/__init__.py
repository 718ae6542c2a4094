"""Blur operators, kernels and noise. Imports torch, NumPy and SciPy only, so that methods may use it anywhere."""
