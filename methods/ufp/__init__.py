"""The parts of UFPNet: kernel flow, kernel estimator, kernel attention, restoring network, weight files.

Z. Fang, F. Wu, W. Dong, X. Li, J. Wu, G. Shi, "Self-supervised Non-uniform Kernel Estimation with Flow-based
Motion Prior for Blind Image Deblurring", CVPR 2023. Inside, kernels are in correlation form, as published.
"""
