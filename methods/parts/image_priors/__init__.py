"""Parametrisations of the latent image."""
