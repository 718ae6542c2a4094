"""Count the parameters and operations of a network."""

import torch

from methods.ufp.network import Shape, UfpNet


def properties(shape: Shape, side: int = 256) -> dict[str, float]:
    """Count the parameters (in millions) and multiply-accumulate operations (in billions) of a network.

    The operations are the multiplications in convolutions and linear layers. The paper prints 243.3 for
    UFPNet: a tool counted it that overrates transposed convolutions and adds biases.

    Args:
        shape: the sizes of the network.
        side: of the image, in pixels.
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 (slow to load and seldom used)

    with torch.device("meta"), torch.no_grad():
        network = UfpNet(shape).eval()
        image = torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            network(image)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    operations = counter.get_total_flops() // 2
    if shape.kernel_size and shape.backbone == "nafnet":
        # The authors' UFPNet has two more convolutions of kernels without influence, one of which it runs.
        weights = 4 * shape.kernel_size**4
        parameters += 2 * (weights + shape.kernel_size**2)
        operations += weights * (side >> shape.attending) ** 2
    return {"parameters-M": parameters / 1e6, "macs-G": operations / 1e9}
