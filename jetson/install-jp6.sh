#!/usr/bin/env bash
# Installs edgecvar on JetPack 6 (Orin; Ubuntu 22.04, CUDA 12.2 to 12.6, TensorRT 8.6 to 10.3) into /opt/edgecvar.
#   sudo jetson/install-jp6.sh [--container]
# Not run on a device yet.
set -euo pipefail
# shellcheck source=jetson/steps.sh
. "$(dirname "$0")/steps.sh"

expect 6 36 22.04 "$@"
# Unpinned, because JetPack 6.0 has 8.6.2 and 6.1 and 6.2 have 10.3.0, and all of them will do.
packages g++ make python3-dev python3-venv python3-libnvinfer
cameras
need_cuda
environment python3.10 constraints-python310.txt
edgecvar_and_pycuda
system_tensorrt
finish "$@"
service
