"""Parametrisations of the blur kernel."""
