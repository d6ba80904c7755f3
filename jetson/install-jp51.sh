#!/usr/bin/env bash
# Installs edgecvar on JetPack 5.1 (Xavier NX, AGX Xavier, also Orin; Ubuntu 20.04, CUDA 11.4, TensorRT 8.5) into
# /opt/edgecvar.
#   sudo jetson/install-jp51.sh [--container]
# Not run on a device yet.
set -euo pipefail
# shellcheck source=jetson/steps.sh
. "$(dirname "$0")/steps.sh"

expect 5.1 35 20.04 "$@"
packages g++ make python3-dev python3-venv python3-libnvinfer=8.5.2-1+cuda11.4
cameras
need_cuda
environment python3.8 constraints-python38.txt
edgecvar_and_pycuda
system_tensorrt
finish "$@"
service
