"""`python -m benchmark` is `blindbench`."""

from benchmark.cli import main

main()
