"""VDIP, the variational deep image prior: three regularisers, each with a kernel network or a generator."""

from methods.vdip.variants import METHODS

__all__ = ["METHODS"]
