"""VDIP, the variational deep image prior: three regularisers, each with a kernel network or a generator."""

from methods.vdip import extreme, extreme_glkm, sparse, sparse_glkm, std, std_glkm

METHODS = tuple(module.METHOD for module in (std, sparse, extreme, std_glkm, sparse_glkm, extreme_glkm))
