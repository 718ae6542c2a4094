"""Parts of the classical methods: uniform blur, no training, NumPy and SciPy on one CPU thread.

Images are float64 (H, W) luminance in [0, 1], or (C, H, W); kernels are float64 (h, w) with odd sides, in
true-convolution form, non-negative, sum 1, origin at the middle. A method is a kernel estimator and a final
non-blind step, joined by `blind.blind`.
"""
