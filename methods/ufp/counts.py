"""How large a network is, and what a pass through it costs."""

import torch

from methods.ufp.network import Shape, UfpNet


def properties(shape: Shape, side: int = 256) -> dict[str, float]:
    """Parameters in millions, multiply-accumulate operations in billions for an image of `side` px.

    Multiplications of convolutions and linear layers count. What the paper prints for UFPNet, 243.3, is what
    a tool counted that takes transposed convolutions for larger than they are, and adds biases.
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 (slow to load, seldom used)

    with torch.device("meta"), torch.no_grad():
        network = UfpNet(shape).eval()
        image = torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            network(image)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    operations = counter.get_total_flops() // 2
    if shape.kernel_size:
        # The authors' network has two more convolutions of kernels, which influence nothing; it runs one.
        weights = 4 * shape.kernel_size**4
        parameters += 2 * (weights + shape.kernel_size**2)
        operations += weights * (side >> shape.attending) ** 2
    return {"parameters-M": parameters / 1e6, "macs-G": operations / 1e9}
