"""Try `deblur` on photographs whose sharp image is known: how often is its verdict right?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array
from benchmark.data.cases import make_case
from benchmark.data.descriptors import Dataset
from benchmark.data.synthesis import observe
from benchmark.scoring.metrics import psnr
from benchmark.scoring.protocols import Protocol, find_protocol
from benchmark.tools.deblur import Estimate, deblur_photo

ENOUGH = 1.0  # dB of PSNR: a smaller gain is hardly seen


@dataclass(frozen=True)
class Trial:
    """The outcome of `deblur` on one blurred photograph."""

    case: str
    blurry_psnr: float  # dB, under the dataset's protocol
    restored_psnr: float  # dB, likewise
    trusted: bool
    kernel_size: int | None  # px, the one that was chosen; None where nothing was done
    agreement: float | None  # see `Verdict`
    misfit: float | None  # re-blur residual in units of the noise; None where nothing was done
    sentence: str  # of the verdict


def trials(
    dataset: Dataset, estimate: Estimate, cases: Sequence[str], experiment_seed: int, report: Report = silent
) -> Iterator[Trial]:
    """Yield a trial for each case, in order.

    Blurry images are rounded to 8 bits, as in files.

    Args:
        dataset: Its photographs are blurred here, each by one kernel.
        estimate: Estimates a kernel for one declared size, as in `deblur_photo`.
        cases: The ids of the cases.
        experiment_seed: Seeds kernels and noise.
        report: Called before each case.

    Raises:
        InputError: There are no sharp images, or the blur is non-uniform.
    """
    if not dataset.synthesised or dataset.content["blur"] != "uniform":
        raise InputError(
            f"{dataset.name}: take a dataset that is blurred here, each image by one kernel, such as "
            "photo-blurs"
        )
    protocol = find_protocol(dataset.content["protocol"])
    for done, case in enumerate(cases):
        report(Progress(dataset.name, done, len(cases)))
        observation, truth = observe(make_case(dataset, case, experiment_seed), experiment_seed)
        assert truth.sharp is not None
        photo = (np.round(255 * observation.blurry) / 255).astype(np.float32)
        result = deblur_photo(photo, estimate)
        verdict = result.verdict
        yield Trial(
            case=case,
            blurry_psnr=_psnr(photo, truth.sharp, protocol),
            restored_psnr=_psnr(result.image, truth.sharp, protocol),
            trusted=verdict.trusted,
            kernel_size=verdict.kernel_size,
            agreement=verdict.agreement,
            misfit=None if verdict.residual is None else verdict.residual / verdict.noise,
            sentence=verdict.sentence,
        )
    report(Progress(dataset.name, len(cases), len(cases)))


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """Count trials by verdict against gain.

    Args:
        rows: A row for each `Trial`, its fields as columns.

    Returns:
        A row for each verdict: how many cases gained `ENOUGH`, gained less and lost; mean, least and largest
        gain in dB.
    """
    gain = rows["restored_psnr"] - rows["blurry_psnr"]
    verdict = np.select([rows["trusted"], rows["kernel_size"].isna()], ["trusted", "nothing done"], "doubted")
    table = []
    for name in ("trusted", "doubted", "nothing done"):
        gains = gain[verdict == name]
        table.append(
            {
                "verdict": name,
                "cases": len(gains),
                f"gained {ENOUGH:g} dB or more": int((gains >= ENOUGH).sum()),
                "gained less": int(((gains < ENOUGH) & (gains >= 0)).sum()),
                "lost": int((gains < 0).sum()),
                "mean gain, dB": gains.mean(),
                "least": gains.min(),
                "largest": gains.max(),
            }
        )
    return pd.DataFrame(table)


def _psnr(image: Array, sharp: Array, protocol: Protocol) -> float:
    pair = protocol.align(image.astype(np.float64), [sharp.astype(np.float64)])
    return psnr(pair.estimate, pair.reference)
