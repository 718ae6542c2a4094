"""Blur operators, kernels and noise. Imports torch, NumPy and SciPy only: methods may use it anywhere."""
