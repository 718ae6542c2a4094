"""Parts of the classical methods: uniform blur, no training, NumPy and SciPy on one CPU thread.

A classical method estimates the kernel from the luma of the blurry image, then deconvolves every channel with
it: `method.classical_method` registers such a pair of steps.

Images are float64, luma (H, W) or channels (C, H, W), in [0, 1]. Kernels are float64 (h, w) with odd sides,
in true-convolution form, non-negative, sum 1; their origin is the middle entry.
"""
