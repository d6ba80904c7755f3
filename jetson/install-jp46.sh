#!/usr/bin/env bash
# Installs edgecvar on JetPack 4.6.1 or later 4.6 (Nano, TX2; Ubuntu 18.04, CUDA 10.2, TensorRT 8.2) into /opt/edgecvar.
#   sudo jetson/install-jp46.sh [--container]
# Not run on a device yet.
set -euo pipefail
# Its only CUDA, by the path that is there whether or not something made /usr/local/cuda a link to it.
CUDA_ROOT=${CUDA_ROOT:-/usr/local/cuda-10.2}
# shellcheck source=jetson/steps.sh
. "$(dirname "$0")/steps.sh"

expect 4.6 32 18.04 "$@"
# JetPack's Python is 3.6, older than any that the wheels are made for; 18.04's archive has 3.8 as well. Its g++ 7 has
# most of C++17, g++ 8 has what is used here.
packages ca-certificates git g++-8 make python3-distutils python3.8 python3.8-dev python3.8-venv \
  libnvinfer-dev=8.2.1-1+cuda10.2 libnvinfer-plugin-dev=8.2.1-1+cuda10.2 \
  libnvonnxparsers-dev=8.2.1-1+cuda10.2 libnvparsers-dev=8.2.1-1+cuda10.2
cameras
need_cuda
environment python3.8 constraints-python38.txt
CXX=g++-8 edgecvar_and_pycuda

# JetPack's TensorRT bindings are for Python 3.6: NVIDIA's open-source ones are built for 3.8, on JetPack's library.
say "TensorRT 8.2.1 bindings for Python 3.8"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet --depth 1 --branch 8.2.1 https://github.com/NVIDIA/TensorRT.git "$work/TensorRT"
git -C "$work/TensorRT" submodule --quiet update --init --depth 1 parsers/onnx
"$TARGET/bin/python" -m pip install --quiet cmake setuptools wheel
PIP_CONSTRAINT='' "$TARGET/bin/python" -m pip install --quiet --target "$work/external" pybind11==2.6.2
mkdir -p "$work/external/python3.8"
ln -s /usr/include/python3.8 "$work/external/python3.8/include"
CXX=g++-8 "$TARGET/bin/cmake" -S "$work/TensorRT/python" -B "$work/build" -Wno-dev \
  -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_BUILD_TYPE=Release -DTARGET=aarch64 -DPYTHON_MAJOR_VERSION=3 \
  -DPYTHON_MINOR_VERSION=8 -DEXT_PATH="$work/external" -DCUDA_INCLUDE_DIRS="$CUDA_ROOT/include" \
  -DTENSORRT_ROOT="$work/TensorRT" > "$work/cmake.log" || { tail "$work/cmake.log" >&2 && stop "cmake failed"; }
# A Nano has 4 GB: two compilers at a time.
"$TARGET/bin/cmake" --build "$work/build" --parallel 2 > "$work/build.log" ||
  { tail "$work/build.log" >&2 && stop "the bindings did not compile"; }
cp -r "$work/TensorRT/python/packaging/." "$work/build"
# 8.2.1.8 or 8.2.1.9, by the release of JetPack 4.6.
header=$(dpkg -L libnvinfer-dev | grep -m 1 '/NvInferVersion\.h$') || stop "libnvinfer-dev has no NvInferVersion.h"
version=$(tensorrt_version "$header")
grep -rl '##TENSORRT_' "$work/build/setup.py" "$work/build/tensorrt" --include='*.py' |
  xargs sed -i -e "s/##TENSORRT_VERSION##/$version/g" -e "s/##TENSORRT_MAJMINPATCH##/${version%.*}/g"
(cd "$work/build" && "$TARGET/bin/python" setup.py -q bdist_wheel --python-tag=cp38 --plat-name=linux_aarch64)
"$TARGET/bin/python" -m pip install --quiet "$work"/build/dist/tensorrt-*.whl

finish "$@"
service
