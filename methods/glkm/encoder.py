"""The kernel encoder: kernels to latent codes of the generator. Only the fast way of pre-training has one.

Not in the paper: generator and encoder are trained together as a variational autoencoder of kernels. That
takes far fewer steps than the adversarial training, and the encoder gives the initializer its targets.
Results with such weights are called 'GLKM-fast'.
"""

from torch import Tensor, nn

from methods.glkm.generator import LATENT


class KernelEncoder(nn.Module):
    """Maps kernels (B, 1, n, n), correlation form, sum 1, to a Gaussian over latent codes."""

    def __init__(self, size: int) -> None:
        """Build the layers for kernels of `size` n."""
        super().__init__()
        self.size = size
        side = ((size + 1) // 2 + 1) // 2
        side = (side + 1) // 2
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 5, 2, 2, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 5, 2, 2, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(128 * side**2, 2 * LATENT),
        )

    def forward(self, kernels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of the codes, each (B, 100, 1, 1)."""
        # Without the factor, entries near 1 / n^2 would vanish beside the eps of the batch norms.
        mean, log_variance = self.layers(self.size * kernels)[:, :, None, None].chunk(2, dim=1)
        return mean, log_variance
