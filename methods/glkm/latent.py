"""The kernel prior of GLKM: latent variables of a pre-trained kernel generator.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", equations (5), (6) and (13).
"""

from copy import deepcopy
from typing import Literal

from torch import Tensor, nn

from benchmark.blur.convolution import central_crop, rotate_180
from methods.glkm.generator import Generator
from methods.parts.kernel_priors.softmax import softmax2d

# What is optimised: the feature maps w of the generator's first layer, equation (6); the latent codes z,
# equation (5); or w together with the layers behind it.
Variable = Literal["features", "code", "generator"]


class LatentKernel(nn.Module):
    """Kernels = G2(w), G(z) or G2(w) with its own copy of G2; the generator itself is left alone.

    Its weights are neither parameters nor state of this module: whoever restores a state has them.
    """

    def __init__(
        self,
        generator: Generator,  # frozen, in eval mode, on the device of the codes
        codes: Tensor,  # (P, 100, 1, 1): where the kernels start
        variable: Variable = "features",
        size: tuple[int, int]
        | None = None,  # (h, w) of the kernels, at most the generator's; None: as they are
    ) -> None:
        super().__init__()
        self.size = (generator.size, generator.size) if size is None else size
        start = codes if variable == "code" else generator.features(codes)
        self.latent = nn.Parameter(start.detach().clone())
        if variable == "generator":
            self.layers = deepcopy(generator.layers).requires_grad_(True)
            self.logits = self.layers.forward
        elif variable == "features":
            self.logits = generator.logits  # a bound method, so the generator does not become a part
        else:
            self.logits = lambda codes: generator.logits(generator.features(codes))

    def forward(self) -> Tensor:
        """The kernels (P, h, w), true-convolution form, positive, sum 1 each."""
        return self.kernels(self.latent)

    def shared(self) -> Tensor:
        """As `forward`, while all kernels are one: the first one's, whose gradient every latent gets in full.

        Latents that start alike stay alike, and move as a single one would.
        """
        moving = (self.latent - self.latent.detach()).sum(0, keepdim=True)
        return self.kernels(self.latent[:1].detach() + moving).expand(len(self.latent), -1, -1)

    def kernels(self, latent: Tensor) -> Tensor:
        """The kernels (P, h, w) of other values of the latent variables."""
        # A generator for all sizes has small kernels in its middle; cut before the softmax, no mass is lost.
        logits = central_crop(self.logits(latent)[:, 0], self.size)
        # The generator's orientation is turned here and nowhere else.
        return rotate_180(softmax2d(logits))
