# syntax=docker/dockerfile:1
# Two images, from the repository's root. Airflow as a team runs it: the official image, the lock, this package as a wheel,
# DAGs and specs.
#
#   docker build -t model-release-airflow:local .
#
# The service without Airflow and MLflow: it pulls what is live, serves it, and follows `latest`.
#
#   docker build --target service -t model-release-service:local .
#   docker run --rm --init --read-only --tmpfs /tmp -p 8080:8080 -e MODEL_RELEASE_URI=s3://my-bucket/heart-disease-models \
#     model-release-service:local
#
# For a private package index: --secret id=uv,src=uv.toml for Airflow, id=pip,src=pip.conf for the service. No credential is
# in either image.
ARG BASE_IMAGE=apache/airflow:3.3.2-python3.11
ARG SERVICE_BASE_IMAGE=python:3.11-slim-bookworm

# ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────────

FROM ${SERVICE_BASE_IMAGE} AS service-build
WORKDIR /src
RUN python3 -m venv /opt/model-release
COPY requirements.txt constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY include/model_release include/model_release
COPY include/mlruns_mirror include/mlruns_mirror
# The versions of the lock. Compiled here, since nobody may write at run time; without it each start would cost seconds.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    /opt/model-release/bin/python -m pip install --quiet --no-compile --disable-pip-version-check \
      --constraint constraints.txt '.[serve,s3,gcs,azure,sign]' \
    && /opt/model-release/bin/python -m pip uninstall --quiet --yes pip setuptools \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/model-release

FROM ${SERVICE_BASE_IMAGE} AS service
RUN groupadd --gid 10001 model \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin model \
    && install --directory --owner=10001 --group=10001 --mode=0750 /models
COPY --from=service-build /opt/model-release /opt/model-release
ENV PATH=/opt/model-release/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    MODEL_RELEASE_LISTEN_HOST=0.0.0.0 \
    MODEL_RELEASE_LISTEN_PORT=8080
# Copies of releases: the one place that is written to, so that a restart without the store finds the last good one.
VOLUME /models
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['MODEL_RELEASE_LISTEN_PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["model-release"]
CMD ["serve", "--to", "/models"]

# ── Airflow ───────────────────────────────────────────────────────────────────────────────────────────────────────────

FROM ${BASE_IMAGE} AS wheel
WORKDIR /tmp/package
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY include/model_release include/model_release
COPY include/mlruns_mirror include/mlruns_mirror
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
COPY include/models /opt/airflow/include/models
COPY deploy/compose /opt/airflow/deploy/compose
COPY deploy/helm/train-pod.yaml /opt/airflow/deploy/helm/train-pod.yaml
