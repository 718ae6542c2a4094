"""Diffusion models: networks and their files, the arithmetic of diffusion, the steps of BIRD and BlindDPS."""
