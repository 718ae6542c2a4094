"""Measure how good freshly trained networks are, on held-out kernels and photographs."""

import numpy as np
from numpy.typing import NDArray

from benchmark.core.progress import Progress, Report
from benchmark.core.types import Array
from benchmark.scoring.kernel_scores import error_ratio, kernel_similarity, misplaced_mass
from methods.training.evidence import Evidence

RATIOS = 40  # cases whose images are restored for the error ratio
SUCCESS = 3.0  # largest error ratio that counts as a success, Levin et al., CVPR 2009

Quality = dict[str, dict[str, float]]


def quality(evidence: Evidence, report: Report) -> Quality:
    """Measure what networks do with held-out data.

    Args:
        evidence: Samples, estimates and the truth.
        report: Takes the progress.

    Returns:
        For each network or yardstick its numbers:

        - similarity, similarity_low: median and 10 % quantile of `kernel_similarity`;
          misplaced: median of `misplaced_mass`; cases: how many kernels these are from. Where the sizes of
          the kernels are known, also for each size alone.
        - ratio, success: median error ratio of restored crops, and the share of at most `SUCCESS`.
        - correlation: mean over all pairs of samples, without a shift. A generator whose samples are much
          more alike than real kernels has collapsed.
        - the numbers that the training measured itself.
    """
    numbers: Quality = {name: {"correlation": _correlation(rows)} for name, rows in evidence.samples.items()}
    parts = [evidence.numbers, _similarities(evidence), _ratios(evidence, report)]
    for part in parts:
        for name, measured in part.items():
            numbers[name] = numbers.get(name, {}) | dict(measured)
    return numbers


def _similarities(evidence: Evidence) -> Quality:
    """Compare estimated kernels with the true ones."""
    if evidence.truth is None:
        return {}
    numbers: Quality = {}
    for name, kernels in evidence.estimates.items():
        pairs = list(zip(kernels, evidence.truth, strict=False))
        similarities = np.array([kernel_similarity(*pair) for pair in pairs])
        misplaced = np.array([misplaced_mass(*pair) for pair in pairs])
        sizes = np.array(evidence.sizes[: len(pairs)])
        groups = {name: np.ones(len(pairs), bool)}
        groups |= {f"{name}, {size} px": sizes == size for size in dict.fromkeys(evidence.sizes)}
        for group, chosen in groups.items():
            numbers[group] = {
                "cases": int(chosen.sum()),
                "similarity": float(np.median(similarities[chosen])),
                "similarity_low": float(np.quantile(similarities[chosen], 0.1)),
                "misplaced": float(np.median(misplaced[chosen])),
            }
    return numbers


def _ratios(evidence: Evidence, report: Report) -> Quality:
    """Restore held-out crops with estimated kernels and compute their error ratios."""
    if evidence.truth is None or evidence.blurry is None or evidence.sharp is None:
        return {}
    cases = min(RATIOS, len(evidence.truth))
    ratios: dict[str, list[float]] = {name: [] for name in evidence.pictured}
    for case in range(cases):
        report(Progress("restoring held-out crops", case, cases))
        images = evidence.blurry[case][None], evidence.sharp[case][None]
        for name, values in ratios.items():
            values.append(error_ratio(*images, evidence.estimates[name][case], evidence.truth[case]))
    report(Progress("restoring held-out crops", cases, cases))
    return {
        name: {
            "ratio": float(np.median(values)),
            "success": float(np.mean(np.array(values) <= SUCCESS)),
        }
        for name, values in ratios.items()
    }


def _correlation(samples: Array) -> float:
    """Average the correlation coefficients of all pairs of samples (M, h, w)."""
    table: NDArray[np.float64] = np.atleast_2d(np.corrcoef(samples.reshape(len(samples), -1)))
    pairs = np.triu_indices(len(table), 1)
    return float(table[pairs].mean())
