"""Rename the tensors of published checkpoints to ours."""

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

_Rules = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
# Pattern and replacement, applied one after the other: UFPNet and NAFNet.
_RENAMED: _Rules = (
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
# MIMO-UNet+.
_RENAMED_MIMO: _Rules = (
    (r"^module\.", ""),
    (r"\.main\.0\.(weight|bias)$", r".\1"),
    (r"^Encoder\.(\d)\.layers\.", r"encoder.\1."),
    (r"^Decoder\.(\d)\.layers\.", lambda match: f"decoder.{2 - int(match[1])}."),
    (r"^(..coder\.\d\.\d+)\.main\.0\.", r"\1.first."),
    (r"^(..coder\.\d\.\d+)\.main\.1\.", r"\1.second."),
    (r"^feat_extract\.([012])\.", r"enter.\1."),
    (r"^feat_extract\.([34])\.", lambda match: f"enlarge.{4 - int(match[1])}."),
    (r"^feat_extract\.5\.", "leave.0."),
    (r"^ConvsOut\.(\d)\.", lambda match: f"leave.{2 - int(match[1])}."),
    (r"^Convs\.(\d)\.", lambda match: f"join.{1 - int(match[1])}."),
    (r"^AFFs\.(\d)\.conv\.(\d)\.", lambda match: f"fuse.{match[1]}.{2 * int(match[2])}."),
    (r"^FAM(\d)\.merge\.", lambda match: f"merge.{2 - int(match[1])}."),
    (r"^SCM(\d)\.main\.(\d)\.", lambda match: f"reduced.{2 - int(match[1])}.features.{2 * int(match[2])}."),
    (r"^SCM(\d)\.conv\.", lambda match: f"reduced.{2 - int(match[1])}.join."),
    (r"^", "restorer."),
)
# Constants of the flow, which are in our code, and two convolutions of kernels whose output is not used.
_DROPPED = re.compile(r"^flow\.(kernel_size|alpha|normalization|base_dist_\w+)$|^kernel_down\.[23]\.")


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of the published UFPNet or NAFNet by our names, without what has no influence."""
    return {_ours(name, _RENAMED): tensor for name, tensor in tensors.items() if not _DROPPED.search(name)}


def renamed_mimo(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of the published MIMO-UNet+ by our names."""
    return {_ours(name, _RENAMED_MIMO): tensor for name, tensor in tensors.items()}


def _ours(name: str, rules: _Rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
