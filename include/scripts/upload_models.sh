#!/usr/bin/env bash
# Release a folder of model files: a thin door to `model-release publish`, which numbers, verifies and promotes by the rules.
#
#   upload_models.sh FOLDER BUCKET [MODEL] [option of publish ...]
#   upload_models.sh models/ s3://my-bucket heart-disease --reason "retrained by hand"
#
# BUCKET: s3://bucket, gs://bucket, wasb://container@account or a folder; a bare name is a bucket of S3. MODEL: its name, else
# heart-disease; the folder in the bucket is MODEL-models.
set -euo pipefail

if [[ $# -lt 2 || $1 == -* || $2 == -* ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
folder=$1 bucket=${2%/} model=heart-disease
shift 2
if [[ $# -gt 0 && $1 != -* ]]; then
  model=$1
  shift
fi
if [[ -d $bucket ]]; then
  bucket="file://$(cd "$bucket" && pwd)"
elif [[ $bucket != *://* ]]; then
  bucket="s3://$bucket"
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python3}" -m model_release.cli publish "$folder" "$bucket/$model-models" "$@"
