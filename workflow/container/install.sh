#!/bin/sh
# Install BlindBench from the wheel beside this script; the Dockerfile and the Apptainer recipe run it.
set -eu
cd "$(dirname "$0")"
apt-get update
apt-get install --yes --no-install-recommends libarchive-tools # bsdtar reads the archives of some datasets
rm -rf /var/lib/apt/lists/*
python3 -m pip install --no-cache-dir -c constraints.txt ./blindbench-*.whl
