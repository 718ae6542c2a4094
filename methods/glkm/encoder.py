"""The encoder that the fast way of pre-training puts before the generator: kernels to latent codes.

Not in the paper: generator and encoder are trained as one variational autoencoder of kernels, which converges
far sooner than the adversarial pair and gives the initializer its targets. Results made so are 'GLKM-fast'.
"""

from torch import Tensor, nn

from methods.glkm.generator import LATENT


class KernelEncoder(nn.Module):
    """Kernels (B, 1, n, n), correlation form, sum 1, to a Gaussian over latent codes."""

    def __init__(self, size: int) -> None:
        """`size` is the side n of the kernels."""
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
        """Mean and logarithm of the variance of the codes, each (B, 100, 1, 1)."""
        # Entries near 1 / n^2 would leave batch norm nothing but its eps.
        mean, log_variance = self.layers(self.size * kernels)[:, :, None, None].chunk(2, dim=1)
        return mean, log_variance
