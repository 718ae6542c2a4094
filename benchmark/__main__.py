"""`python -m benchmark` is `blindbench`."""

from benchmark.cli.main import main

main()
