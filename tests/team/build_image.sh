#!/bin/bash
# Builds the Dockerfile where no image can be pulled: on a stand-in of Airflow's base image that Debian's packages make,
# with what the Dockerfile asks of it: uv, the user 50000 and its environment. Then runs what is in it, and tells what each
# part of it weighs. Needs root, debootstrap, podman, buildah.
#
#   tests/team/build_image.sh [FOLDER]     # for what it leaves; some minutes, most of them for the lock
#
# The other target, the service: deploy/service/try_without_engine.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder="${1:-$(mktemp -d)}"
certificates=/etc/ssl/certs/ca-certificates.crt # this machine's, which may trust a proxy
build=(buildah bud --isolation chroot --secret "id=uv,src=$folder/uv.toml" --volume "$certificates:$certificates:ro")

[ -e "$folder/root/usr/bin/python3" ] || debootstrap --variant=minbase \
  --include=python3,python3-venv,ca-certificates,libgomp1 bookworm "$folder/root"
tar -C "$folder/root" -c . | podman import - localhost/debian-stand-in >/dev/null
echo "native-tls = true" > "$folder/uv.toml"
mkdir -p "$folder/empty"
"${build[@]}" --tag localhost/airflow-stand-in --file - "$folder/empty" <<'BASE'
FROM localhost/debian-stand-in
RUN useradd --uid 50000 --gid 0 --create-home airflow && install --directory --owner=50000 /opt/airflow /opt/airflow/logs
USER 50000
RUN python3 -m venv /home/airflow/.local && /home/airflow/.local/bin/pip install --quiet --cert /etc/ssl/certs/ca-certificates.crt uv
ENV VIRTUAL_ENV=/home/airflow/.local PATH=/home/airflow/.local/bin:$PATH AIRFLOW_HOME=/opt/airflow
WORKDIR /opt/airflow
BASE
"${build[@]}" --build-arg BASE_IMAGE=localhost/airflow-stand-in --tag localhost/model-release-airflow .

container=$(buildah from localhost/model-release-airflow)
trap 'buildah rm "$container" >/dev/null' EXIT
# shellcheck disable=SC2016 # it is the inner shell that reads them
buildah run --isolation chroot --env MODEL_RELEASE_SPECS=/opt/airflow/include/models/compose --env MODELS_S3=s3://models \
  --env MODELS_GCS=gs://models --env MODELS_AZURE=wasb://models@account --env MLFLOW_TRACKING_URI=http://mlflow:5000 \
  --env AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////tmp/airflow.db --env AIRFLOW__CORE__LOAD_EXAMPLES=false \
  --env PYTHONWARNINGS=ignore \
  "$container" -- bash -euo pipefail -c '
    test "$(id -u)" = 50000
    test ! -w /opt/airflow/dags
    python -c "import model_release; print(model_release.__file__)"
    model-release --version
    airflow db migrate >/dev/null 2>&1
    airflow dags list --local --columns dag_id --output plain 2>/dev/null
    airflow dags list-import-errors --local 2>/dev/null
    du -sh ~/.local/lib/python3.*/site-packages/model_release && du -sh ~/.local /opt/airflow/*/
'
