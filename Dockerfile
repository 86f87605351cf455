# syntax=docker/dockerfile:1
# Airflow as a team runs it: the official image, the lock, this package as a wheel, DAGs and specs. From the repository's root:
#
#   docker build -t model-release-airflow:local .
#
# For a private package index: --secret id=uv,src=uv.toml. The image of the service is deploy/service/Dockerfile's.
ARG BASE_IMAGE=apache/airflow:3.3.2-python3.11

FROM ${BASE_IMAGE} AS wheel
WORKDIR /tmp/package
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY include/model_release include/model_release
RUN --mount=type=secret,id=uv,target=/etc/uv/uv.toml,mode=0444 \
    uv build --no-cache --wheel --out-dir /tmp/wheel .

FROM ${BASE_IMAGE} AS airflow
USER 0
# The folders that a new volume takes its owner from: each consumer of secrets has one.
RUN for each in airflow postgres redis mlflow service seaweedfs azurite; do \
      install --directory --owner=50000 --group=0 --mode=0755 "/secrets/$each"; done
USER 50000
# Compiled here: nobody compiles at run time for the next start, and without it each start costs seconds.
RUN --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml,mode=0444 \
    uv pip install --no-cache --compile-bytecode --requirement /tmp/requirements.txt
RUN --mount=type=bind,from=wheel,source=/tmp/wheel,target=/tmp/wheel \
    uv pip install --no-cache --compile-bytecode --no-deps /tmp/wheel/*.whl
COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY plugins /opt/airflow/plugins
COPY include/models /opt/airflow/include/models
COPY deploy/compose /opt/airflow/deploy/compose
COPY deploy/helm/train-pod.yaml /opt/airflow/deploy/helm/train-pod.yaml
