"""Generative latent kernels (GLKM): a kernel generator, its initializer, and the kernel prior made of them.

"Generative Latent Kernel Modeling for Blind Motion Deblurring". Inside the networks kernels are in
correlation form; `latent.LatentKernel` turns them.
"""
