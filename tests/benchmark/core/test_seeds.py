from benchmark.core.seeds import generator, seed_from


def test_seeds_depend_on_every_name_and_their_borders():
    names = [("a", "b"), ("b", "a"), ("ab",), ("a", "b", 0), ("a", "b", 1)]
    assert len({seed_from(*name) for name in names}) == len(names)
    assert generator("x").random() == generator("x").random()
