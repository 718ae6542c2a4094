"""Verbs about data."""


def test_datasets_are_listed(blindbench):
    assert "demo-uniform" in blindbench("datasets")[1]
