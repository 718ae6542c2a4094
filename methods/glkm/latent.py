"""The kernel prior of GLKM: kernels as functions of the latent variables of a pre-trained generator.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", equations (5), (6) and, for non-uniform blur,
(13).
"""

from copy import deepcopy
from typing import Literal

from torch import Tensor, nn

from benchmark.blur.convolution import central_crop, rotate_180
from methods.glkm.generator import Generator
from methods.parts.kernel_priors.softmax import softmax2d

# What is optimised. 'features': the feature maps w of the generator's first layer, equation (6). 'code': the
# latent codes z, equation (5). 'generator': w together with the layers behind it.
Variable = Literal["features", "code", "generator"]


class LatentKernel(nn.Module):
    """Kernels (P, h, w): G2(w), or G(z), or G2(w) with an own copy of G2.

    The generator's weights are neither parameters nor state of this module: to continue from a state, build
    the module with the same generator first.

    >>> from torch import zeros
    >>> prior = LatentKernel(Generator(31, width=2).eval(), zeros(4, 100, 1, 1))
    >>> prior().shape, prior.latent.shape
    (torch.Size([4, 31, 31]), torch.Size([4, 8, 3, 3]))
    """

    def __init__(
        self,
        generator: Generator,
        codes: Tensor,
        variable: Variable = "features",
        size: tuple[int, int] | None = None,
    ) -> None:
        """Start the latent variables.

        Args:
            generator: frozen, in eval mode, on the device of the codes.
            codes: where the kernels start, (P, 100, 1, 1).
            variable: what is optimised.
            size: of the kernels, (h, w), at most the generator's; None: the generator's.
        """
        super().__init__()
        self.size = (generator.size, generator.size) if size is None else size
        start = codes if variable == "code" else generator.features(codes)
        self.latent = nn.Parameter(start.detach().clone())
        if variable == "generator":
            self.layers = deepcopy(generator.layers).requires_grad_(True)
            self.logits = self.layers.forward
        elif variable == "features":
            self.logits = generator.logits  # a bound method: the generator does not become a submodule
        else:
            self.logits = lambda codes: generator.logits(generator.features(codes))

    def forward(self) -> Tensor:
        """Return the kernels (P, h, w), true-convolution form, positive, sum 1 each."""
        return self.kernels(self.latent)

    def shared(self) -> Tensor:
        """Return the first kernel P times, with the full gradient for every latent variable.

        Latent variables that start alike so stay alike, and move as if they were one.
        """
        moving = (self.latent - self.latent.detach()).sum(0, keepdim=True)
        return self.kernels(self.latent[:1].detach() + moving).expand(len(self.latent), -1, -1)

    def kernels(self, latent: Tensor) -> Tensor:
        """Return the kernels (P, h, w) for other values of the latent variables."""
        # A generator for all sizes has small kernels in its middle. Cutting before the softmax loses no mass.
        logits = central_crop(self.logits(latent)[:, 0], self.size)
        # From correlation form to true-convolution form, here and nowhere else.
        return rotate_180(softmax2d(logits))
