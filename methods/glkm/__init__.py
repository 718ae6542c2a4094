"""Generative latent kernels: the networks of GLKM and where their weights come from."""
