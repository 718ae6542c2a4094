"""What the workflow can be asked for."""

import pytest

from benchmark.core.errors import InputError
from benchmark.planning.config import make_plan
from benchmark.planning.targets import check_targets
from tests.benchmark.cli.conftest import CONFIG


@pytest.fixture(scope="module")
def plan():
    return make_plan(CONFIG, "x.yaml")


def test_names_files_and_intermediate_files_are_targets(plan):
    names = ["tables", "figures", "pretrain", "glkm-fig4", "bid-table3", "bid-claims"]
    files = ["results/r/scores.csv", "results/r/tables/uniform.tex", "results/r/figures/uniform-scores.pdf"]
    steps = ["results/r/records/blurry/0.json"]
    check_targets(plan, [*names, *files, *steps])
    assert set(names) <= set(plan.targets)


@pytest.mark.parametrize(
    "target", ["table", "uniform", "results/r/tables/uniform.html", "results/x/scores.csv"]
)
def test_another_target_is_refused_with_the_closest_one(plan, target):
    with pytest.raises(InputError, match=f"^unknown target '{target}'. (Did you mean|Known: )"):
        check_targets(plan, ["tables", target])
