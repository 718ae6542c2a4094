"""BlindBench: the data, the blur, the scores and the tables. Knows no deblurring method by name."""
