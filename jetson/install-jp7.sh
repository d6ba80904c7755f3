#!/usr/bin/env bash
# Installs edgecvar on JetPack 7 (Thor, from 7.2 on Orin too; Ubuntu 24.04, CUDA 13, TensorRT 10.13 to 10.16) into
# /opt/edgecvar.
#   sudo jetson/install-jp7.sh [--container]
# Not run on a device yet.
set -euo pipefail
# shellcheck source=jetson/steps.sh
. "$(dirname "$0")/steps.sh"

expect 7 "38 39" 24.04 "$@"
# Unpinned, because 7.0 has 10.13 and 7.2 has 10.16, and both will do.
packages g++ make python3-dev python3-venv python3-libnvinfer
cameras
need_cuda
environment python3.12 constraints-python312.txt
edgecvar_and_pycuda
system_tensorrt
finish "$@"
service
