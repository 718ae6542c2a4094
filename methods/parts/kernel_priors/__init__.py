"""Parametrisations of the blur kernels; `protocol.py` says what each offers."""
