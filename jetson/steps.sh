# The steps that the install scripts share; sourced, never run.
# shellcheck shell=bash

# Where it goes, and which TensorRT and CUDA an install script may count on; a script sets what differs.
TARGET=${TARGET:-/opt/edgecvar}
CUDA_ROOT=${CUDA_ROOT:-/usr/local/cuda}
CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "edgecvar: $*" >&2; }

# stop WHY: one line, and out.
stop() {
  say "$*"
  exit 1
}

# expect JETPACK L4T_MAJORS UBUNTU [--container]: stops unless this is that JetPack; in a container the host's release
# is not to be seen, and Ubuntu's is asked instead.
expect() {
  local jetpack=$1 majors=$2 ubuntu=$3 release=${L4T_RELEASE:-/etc/nv_tegra_release} found
  [ "$(uname -m)" = aarch64 ] || stop "this is for JetPack $jetpack on a Jetson, and this machine is $(uname -m)"
  [ $# -le 3 ] || [ "$*" = "$1 $2 $3 --container" ] || stop "unknown option ${*:4}: only --container is known"
  if [ $# = 4 ]; then
    found=$(. /etc/os-release && echo "$VERSION_ID")
    [ "$found" = "$ubuntu" ] || stop "this is for an image of Ubuntu $ubuntu (JetPack $jetpack), and this one is $found"
    return
  fi
  [ -r "$release" ] || stop "this is for JetPack $jetpack on a Jetson: $release is missing here"
  found=$(sed -n 's/^# R\([0-9]*\) .*/\1/p' "$release")
  case " $majors " in
    *" $found "*) ;;
    *) stop "this is for JetPack $jetpack (L4T ${majors// / or }), and this Jetson has L4T $found" ;;
  esac
  [ "$(id -u)" = 0 ] || stop "this installs packages: use sudo"
}

packages() {
  say "packages: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

# cameras: GStreamer, by which cameras are read and I-pictures decoded in hardware; its plugins for that are L4T's own.
cameras() {
  packages gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-ugly
}

# need_cuda: pycuda is built from source with the device's own compiler.
need_cuda() {
  [ -x "$CUDA_ROOT/bin/nvcc" ] || stop "$CUDA_ROOT/bin/nvcc is missing: apt-get install nvidia-jetpack, then again"
  export CUDA_ROOT PATH="$CUDA_ROOT/bin:$PATH"
}

# environment PYTHON CONSTRAINTS: the virtual environment, where every later pip takes the versions of that file.
environment() {
  say "Python environment in $TARGET"
  "$1" -m venv "$TARGET"
  export PIP_CONSTRAINT="$CHECKOUT/jetson/$2" PIP_DISABLE_PIP_VERSION_CHECK=1
  "$TARGET/bin/python" -m pip install --quiet "$(grep '^pip==' "$PIP_CONSTRAINT")"
}

# edgecvar_and_pycuda: what is C++ is compiled here, the rest are wheels, those of its service and page among them.
edgecvar_and_pycuda() {
  say "edgecvar and pycuda, compiled here"
  "$TARGET/bin/python" -m pip install --quiet --no-binary=pycuda "${CHECKOUT}[device,live]"
}

# system_tensorrt: JetPack's own bindings, and nothing else of the system's Python.
system_tensorrt() {
  local from to
  from=$(/usr/bin/python3 -c 'from importlib.util import find_spec
found = find_spec("tensorrt")
print(found.submodule_search_locations[0] if found else "")')
  [ -n "$from" ] || stop "TensorRT's Python bindings are missing: apt-get install python3-libnvinfer"
  to=$("$TARGET/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  ln -sfn "$from" "$to/tensorrt"
}

# tensorrt_version HEADER: the installed version, all four numbers of it, from its NvInferVersion.h.
tensorrt_version() {
  local version
  version=$(sed -nE 's/^#define NV_TENSORRT_(MAJOR|MINOR|PATCH|BUILD) ([0-9]+).*/\2/p' "$1" | paste -sd.)
  [[ $version =~ ^[0-9]+(\.[0-9]+){3}$ ]] || stop "$1 tells no version of TensorRT (${version:-nothing})"
  echo "$version"
}

# finish [--container]: the command, and a first run on the shipped clip. TensorRT cannot be loaded while an image is
# built, because the device's libraries come with the container's start.
finish() {
  local runner=trt
  ln -sfn "$TARGET/bin/edgecvar" /usr/local/bin/edgecvar
  if [ "${1:-}" = --container ]; then
    runner=onnx
  else
    "$TARGET/bin/python" -c 'import tensorrt, pycuda
print("edgecvar: TensorRT", tensorrt.__version__, "and pycuda", pycuda.VERSION_TEXT)' >&2
  fi
  "$TARGET/bin/edgecvar" run --runner "$runner" "$CHECKOUT/edgecvar/demo/clip.mp4" | tail -n 1
}

# service: installs the user and the units for `edgecvar run` and `edgecvar serve`; none is enabled or started.
service() {
  command -v systemctl > /dev/null || return 0
  id edgecvar > /dev/null 2>&1 || useradd --system --home-dir /var/lib/edgecvar --shell /usr/sbin/nologin edgecvar
  usermod --append --groups video edgecvar
  ! getent group render > /dev/null || usermod --append --groups render edgecvar
  install -D -m 644 "$CHECKOUT/jetson/edgecvar.service" /etc/systemd/system/edgecvar.service
  install -D -m 644 "$CHECKOUT/jetson/edgecvar@.service" /etc/systemd/system/edgecvar@.service
  install -d -m 755 /etc/edgecvar
  [ -e /etc/edgecvar.conf ] || install -m 644 "$CHECKOUT/jetson/edgecvar.conf" /etc/edgecvar.conf
  systemctl daemon-reload
}
