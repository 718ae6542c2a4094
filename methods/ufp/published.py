"""Rename the tensors of published checkpoints to ours."""

import re
from collections.abc import Mapping

from torch import Tensor

# Pattern and replacement, applied one after the other.
_RENAMED = (
    (r"^module\.", ""),
    (r"^kernel_extra\.Encoding_Block1\.downsample", "estimator.down_full"),
    (r"^kernel_extra\.Encoding_Block2\.downsample", "estimator.down_half"),
    (r"^kernel_extra\.Encoding_Block1", "estimator.encode_full"),
    (r"^kernel_extra\.Encoding_Block2", "estimator.encode_half"),
    (r"^kernel_extra\.Conv_mid\.body\.(\d)", lambda match: f"estimator.middle.{int(match[1]) // 2}"),
    (r"^kernel_extra\.Decoding_Block1\.Conv_t", "estimator.up_half.enlarge"),
    (r"^kernel_extra\.Decoding_Block2\.Conv_t", "estimator.up_full.enlarge"),
    (r"^kernel_extra\.Decoding_Block1", "estimator.up_half.refine"),
    (r"^kernel_extra\.Decoding_Block2", "estimator.up_full.refine"),
    (r"^kernel_extra\.Conv_tail\.mean", "estimator.code"),
    (r"^kernel_extra\.Conv_tail\.var", "estimator.uncertainty"),
    (r"Conv_head", "head"),
    (r"ResBlock(\d)\.body\.1", lambda match: f"blocks.{int(match[1]) - 1}.first"),
    (r"ResBlock(\d)\.body\.3", lambda match: f"blocks.{int(match[1]) - 1}.second"),
    (r"^flow\.net\.", "flow.layers."),
    (r"\.s_net\.", ".scale."),
    (r"\.t_net\.", ".shift."),
    (r"^(intro|ending|downs)\.", r"restorer.\1."),
    (r"^encoders\.", "restorer.encoder."),
    (r"^decoders\.(\d)", lambda match: f"restorer.decoder.{3 - int(match[1])}"),
    (r"^ups\.(\d)\.0", lambda match: f"restorer.ups.{3 - int(match[1])}"),
    (r"^middle_blks\.", "restorer.middle."),
    (r"^kernel_down\.", "restorer.kernel_downs."),
    (r"\.conv1\.", ".widen1."),
    (r"\.conv2\.", ".depthwise."),
    (r"\.conv3\.", ".mix1."),
    (r"\.conv4\.", ".widen2."),
    (r"\.conv5\.", ".mix2."),
    (r"\.sca\.1\.", ".weigh."),
    (r"\.kernel_atttion\.conv_1\.0\.", ".attention.image."),  # the authors' spelling
    (r"\.kernel_atttion\.conv_kernel\.", ".attention.kernels."),
    (r"\.kernel_atttion\.conv_2\.0\.", ".attention.both."),
)
# Constants of the flow, which are in our code, and two convolutions of kernels whose output is not used.
_DROPPED = re.compile(r"^flow\.(kernel_size|alpha|normalization|base_dist_\w+)$|^kernel_down\.[23]\.")


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a published state by our names, without tensors that have no influence."""
    return {_ours(name): tensor for name, tensor in tensors.items() if not _DROPPED.search(name)}


def _ours(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name
