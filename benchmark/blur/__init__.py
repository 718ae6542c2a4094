"""Blur operators, deconvolution with a known kernel, motion kernels, camera shake and noise.

Imports torch, NumPy, SciPy, scikit-image and Pillow only: methods may use it anywhere.

Images are (C, H, W). Kernels are in true-convolution form, y = x * k, non-negative, sum 1. Functions on torch
tensors keep type and device and are differentiable where they say so.
"""
