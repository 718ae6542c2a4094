"""Diffusion models: networks, schedules, samplers, and the deblurring methods built on them."""
