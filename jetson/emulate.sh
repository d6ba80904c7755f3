#!/usr/bin/env bash
# Installs the device half on an emulated AArch64 and compares its decisions on the demo's clip with this machine's.
#   sudo PYTHON=.venv/bin/python jetson/emulate.sh FOLDER
# FOLDER gets a Debian userland (1.2 GB) and is used again by the next run. PYTHON has edgecvar here.
set -euo pipefail
# shellcheck source=jetson/steps.sh
. "$(dirname "$0")/steps.sh"

[ $# = 1 ] || stop "usage: emulate.sh FOLDER"
[ "$(uname -m)" != aarch64 ] || stop "this machine is an AArch64: nothing to emulate"
[ "$(id -u)" = 0 ] || stop "chroot wants root: use sudo"
for tool in debootstrap qemu-aarch64-static; do
  command -v "$tool" > /dev/null || stop "$tool is missing: apt-get install debootstrap qemu-user-static"
done
checkout=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=$folder/root
python=${PYTHON:-python3}
clip=edgecvar/demo/clip.mp4
formats=/proc/sys/fs/binfmt_misc

# What of binfmt_misc this script has set up goes when it ends.
mounted='' registered=''
trap '[ -z "$registered" ] || echo -1 > "$registered"; [ -z "$mounted" ] || umount "$mounted"' EXIT
if [ ! -e "$formats/register" ]; then
  mount -t binfmt_misc binfmt_misc "$formats"
  mounted=$formats
fi
if ! grep -qs 'interpreter.*aarch64' "$formats"/*; then
  # Magic and mask of an AArch64 ELF; F keeps the emulator open, so that it is found inside the chroot.
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf ':edgecvar-aarch64:M::%s:%s:%s:F' "$magic" "$mask" "$(command -v qemu-aarch64-static)" > "$formats/register"
  registered=$formats/edgecvar-aarch64
fi

# inside COMMAND...: runs it in the userland, with nothing of this machine's environment. /proc and /sys stay empty on
# purpose: they describe this machine's processor, at which ONNX Runtime for AArch64 falls over; without, it only warns.
inside() {
  chroot "$root" /usr/bin/env -i HOME=/root PATH=/venv/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8 \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 OMP_NUM_THREADS=1 "$@"
}

if [ ! -e "$root/.ready" ]; then
  say "Debian for AArch64, in $root"
  rm -rf "$root"
  debootstrap --arch=arm64 --variant=minbase \
    --include=ca-certificates,python3-venv,python3-dev,g++,cmake,ninja-build bookworm "$root" \
    ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} > "$folder/debootstrap.log"
  inside python3 -m venv /venv
  touch "$root/.ready"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

say "wheels for AArch64"
install -D "$checkout/constraints.txt" "$root/src/constraints.txt"
inside pip install --quiet --only-binary=:all: --constraint /src/constraints.txt \
  numpy av onnxruntime click pydantic rich PyYAML Pillow scikit-build-core pybind11

say "edgecvar, compiled on the emulated processor"
rm -rf "$root/src/edgecvar"
tar -C "$checkout" --exclude='*.so' --exclude=__pycache__ -c edgecvar recipes pyproject.toml README.md LICENSE |
  tar -C "$root/src" -x
inside env CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" \
  pip install --quiet --no-deps --no-build-isolation --force-reinstall /src

say "the demo, here and there"
cp "$checkout/$clip" "$root/clip.mp4"
OMP_NUM_THREADS=1 "$python" -m edgecvar.cli.main run "$checkout/$clip" --runner onnx --json > "$folder/here.jsonl"
inside edgecvar run /clip.mp4 --json > "$folder/aarch64.jsonl" 2> "$folder/aarch64.log" || {
  cat "$folder/aarch64.log" >&2
  stop "edgecvar run failed there"
}
inside python3 -c 'import platform; print("emulate:", platform.machine(), "Python", platform.python_version())' >&2
"$python" "$checkout/jetson/same_decisions.py" "$folder/here.jsonl" "$folder/aarch64.jsonl"
