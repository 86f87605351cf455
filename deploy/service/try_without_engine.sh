#!/usr/bin/env bash
# Build the service's image where there is no container engine, and run it as one would: not root, on a root that is read-only.
#
#   try_without_engine.sh FOLDER        a model's folder, such as var/store/heart-disease-models
#
# Root, and Debian's buildah, podman and debootstrap. Some minutes, and 2 GB below /tmp that are removed at the end.
# PIP_CONF: a pip.conf for another package index. KEEP=1 keeps the folder, so that the next run need not make the base again.
set -euo pipefail

model=$(cd "${1:?name the folder of one model}" && pwd)
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=/tmp/model-release-try
tool() { local name=$1; shift; "$name" --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
# shellcheck disable=SC2317 # the trap calls it
finish() {
  [[ -z ${service-} ]] || kill "$service" 2>/dev/null || true
  wait
  tool buildah rm --all >/dev/null 2>&1 || true
  [[ -n ${KEEP-} ]] || rm -rf "$work"
}
trap finish EXIT

mkdir -p "$work"
if ! tool buildah images --quiet localhost/debian-python >/dev/null 2>&1; then
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base" >/dev/null
  cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/" # for networks with a certificate of their own
  tar -C "$work/base" -c . | tool podman import --quiet - localhost/debian-python:latest >/dev/null
  rm -rf "$work/base"
fi
tool buildah bud --isolation chroot --network host --format docker --target service \
  --build-arg SERVICE_BASE_IMAGE=localhost/debian-python --secret id=pip,src="${PIP_CONF:-/dev/null}" \
  --ignorefile "$checkout/.dockerignore" -t model-release-service "$checkout" >"$work/build.log" 2>&1 \
  || { tail -20 "$work/build.log" >&2; exit 1; }
container=$(tool buildah from localhost/model-release-service)
root=$(tool buildah mount "$container")
mkdir -p "$root/mnt/model" "$root/proc" "$root/dev" # mount points

# shellcheck disable=SC2016 # $1 and $2 are the inner shell's
unshare --mount bash -euc '
  mount --bind "$1" "$1"
  mount --bind "$2" "$1/mnt/model" && mount -o remount,ro,bind "$1/mnt/model"
  mount --bind /proc "$1/proc" && mount --bind /dev "$1/dev"
  mount -t tmpfs tmpfs "$1/tmp"
  mount -t tmpfs -o uid=10001,gid=10001,mode=0750 tmpfs "$1/models"
  mount -o remount,ro,bind "$1"
  cd / && exec chroot --userspec=10001:10001 "$1" env -i PATH=/opt/model-release/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 MODEL_RELEASE_LISTEN_PORT=18080 model-release serve /mnt/model --to /models
' _ "$root" "$model" 2>"$work/service.log" &
service=$!
for _ in $(seq 60); do
  if curl --silent --fail http://127.0.0.1:18080/readyz; then
    echo " by user $(ps -o uid= -p "$service" | tr -d ' ')"
    exit 0
  fi
  kill -0 "$service" 2>/dev/null || break
  sleep 0.5
done
cat "$work/service.log" >&2
exit 1
