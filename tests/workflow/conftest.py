"""What the tests of the workflow share."""

import pytest

from tests.workflow.test_workflow import Checkout


@pytest.fixture(scope="session", autouse=True)
def warm_runs(warm):
    """Have Snakemake and its jobs start warm, apart from those that are killed on their way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkout, "python", warm)
        yield
