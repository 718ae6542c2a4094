"""How far metrics agree on the order of methods."""

import pytest
from scipy.stats import kendalltau

from benchmark.data.descriptors import find_dataset
from benchmark.tables.agreement import agreement, agreement_sections
from benchmark.tables.profile_tables import own_table
from benchmark.tables.summary import summary
from tests.benchmark.tables.test_tables import NAME, NO_RUNS, scores_frame

METHODS = ("selfdeblur", "l0-grad", "nafnet", "ufpnet", "choose")
PSNR, SSIM, LPIPS = (20, 21, 22, 23, 24), (0.5, 0.7, 0.6, 0.8, 0.9), (0.5, 0.4, 0.3, 0.2, 0.1)


def table_of(methods=METHODS):
    values = {("blurry", "psnr"): [10.0], ("oracle", "psnr"): [40.0]}
    for place, method in enumerate(methods):
        for metric, numbers in (("psnr", PSNR), ("ssim", SSIM), ("lpips-alex", LPIPS)):
            values[method, metric] = [numbers[place]]
    scores = scores_frame(values)
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores)
    return summary(definition, scores, NO_RUNS), definition


def test_it_is_kendalls_tau_of_the_means_with_better_values_first():
    taus = agreement(table_of()[0])
    assert taus.loc["psnr", "ssim"] == pytest.approx(kendalltau(PSNR, SSIM).statistic)
    assert taus.loc["psnr", "lpips-alex"] == 1
    assert taus.loc["ssim", "ssim"] == 1


def test_the_section_says_how_many_methods_are_compared():
    (section,) = agreement_sections(*table_of())
    assert "put the 5 methods" in section.caption
    assert section.rows[0] == ["PSNR", "1.00", "0.80", "1.00"]


def test_few_methods_are_not_compared():
    assert not list(agreement_sections(*table_of(METHODS[:3])))
