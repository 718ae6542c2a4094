"""Methods and datasets as deepinv's: what its own test loop and physics make of them."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import blindbench
from benchmark.core.errors import InputError
from tests.conftest import ROOT

deepinv = pytest.importorskip("deepinv", reason="no deepinv here: pip install 'blindbench[deepinv]'")
from blindbench.adapters import deepinv as adapters  # noqa: E402  (needs what is looked for above)

SMALL = {"iterations": 2, "channels": 4, "skip_channels": 2, "scales": 2}


def motion(size=7):
    """A filter (1, 1, h, w) that is not its own mirror image."""
    weights = torch.zeros(1, 1, size, size)
    weights[..., 1, 1:5] = 1.0
    weights[..., 1:6, 4] = 0.5
    return weights / weights.sum()


def photograph(side=64):
    """An image (1, 1, H, W) with edges."""
    return (
        torch.from_numpy(np.kron(np.random.default_rng(0).random((8, 8)), np.ones((8, 8))))[None, None]
    ).float()


def psnr(x, y):
    return float(deepinv.metric.PSNR()(x, y).mean())


@pytest.mark.parametrize("padding", ["circular", "replicate", "zeros"])
def test_the_true_kernel_of_a_physics_restores_its_image(padding):
    x = photograph()
    physics = deepinv.physics.Blur(motion(), padding=padding)
    y = physics(x)
    restored = adapters.MethodReconstructor("oracle")(y, physics)
    assert restored.shape == x.shape
    assert psnr(restored, x) > psnr(y, x) + 10


def test_other_methods_do_not_see_the_filter():
    y = torch.rand(2, 1, 40, 40)
    model = adapters.MethodReconstructor("selfdeblur", **SMALL)
    seen = [model(y, deepinv.physics.Blur(filter)) for filter in (motion(), motion().flip(-1))]
    assert torch.equal(*seen)
    assert not torch.equal(seen[0][0], seen[0][1])
    assert torch.equal(seen[0], adapters.MethodReconstructor("selfdeblur", kernel_size=7, **SMALL)(y))
    assert not torch.equal(seen[0], adapters.MethodReconstructor("selfdeblur", kernel_size=9, **SMALL)(y))


def test_a_method_that_fits_a_network_runs_where_nobody_wants_gradients():
    for quiet in (torch.no_grad(), torch.inference_mode()):
        with quiet:
            restored = adapters.MethodReconstructor("selfdeblur", kernel_size=5, **SMALL)(
                torch.rand(1, 3, 40, 40)
            )
        assert restored.shape == (1, 3, 40, 40)
        assert not restored.requires_grad


def test_a_filter_for_each_channel_is_refused():
    filters = torch.cat([motion(), motion().flip(-1), motion()], dim=1)
    with pytest.raises(InputError, match="differs between channels"):
        adapters.MethodReconstructor("oracle")(torch.rand(1, 3, 40, 40), deepinv.physics.Blur(filters))
    same = deepinv.physics.Blur(motion().expand(1, 3, 7, 7))
    assert adapters.MethodReconstructor("blurry")(torch.rand(1, 3, 40, 40), same).shape == (1, 3, 40, 40)


def test_a_wrong_method_or_setting_is_refused_at_once():
    with pytest.raises(InputError, match="unknown method 'wiener'"):
        adapters.MethodReconstructor("wiener")
    with pytest.raises(InputError, match="iteration"):
        adapters.MethodReconstructor("selfdeblur", iteration=3)


def test_deepinv_scores_a_dataset_as_the_suite_does():
    cases = adapters.CaseDataset("demo-uniform", ["camera"])
    deepinv.datasets.check_dataset(cases)
    (entry,) = cases
    assert entry["params"]["filter"].shape == (1, 13, 13)
    scores = deepinv.test(
        adapters.MethodReconstructor("blurry"),
        DataLoader(cases, batch_size=1),
        deepinv.physics.Blur(padding="replicate"),
        metrics=[deepinv.metric.PSNR()],
        compare_no_learning=False,
        show_progress_bar=False,
        verbose=False,
    )
    images = (entry[name].permute(1, 2, 0).numpy() for name in ("y", "x"))
    assert scores["PSNR"] == pytest.approx(blindbench.score(*images, "plain")["psnr"], abs=1e-4)


def test_entries_hold_what_is_known():
    (real,) = adapters.CaseDataset("demo-real")
    assert set(real) == {"y"}
    shaken = adapters.CaseDataset("demo-nonuniform")[0]
    assert set(shaken) == {"x", "y"}
    with pytest.raises(InputError, match="no case matches"):
        adapters.CaseDataset("demo-uniform", ["im1*"])


def test_the_example_of_the_documentation_runs(capsys):
    page = (ROOT / "docs" / "other-programs.md").read_text()
    source = re.search(r"```python\n(import deepinv.*?)```", page, re.DOTALL).group(1)
    exec(compile(source, "other-programs.md", "exec"), {})
    assert "'PSNR': " in capsys.readouterr().out
