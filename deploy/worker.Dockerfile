# Both workers, told apart by their command: `index` (the default) or `search`.
#
# No CUDA base image: torch's wheels bring their own CUDA libraries. The host needs NVIDIA's driver
# and container toolkit; without them the same image runs on the CPU, and with
# REQUIREMENTS=requirements/cpu.txt a smaller one does, without PyTorch (docker-compose.cpu.yml).
FROM python:3.11-slim-bookworm AS kernels
# The base has no C compiler: the set-up takes one from a package, and nothing of it stays.
WORKDIR /app
COPY requirements/compiler.txt requirements/compiler.txt
COPY machine/__init__.py machine/__init__.py
COPY machine/setup machine/setup
COPY common/__init__.py common/kernels.py common/
COPY worker/native worker/native
RUN python -m machine.setup.kernels /kernels

FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app

ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements.txt
COPY requirements/cpu.txt requirements/cpu.txt
RUN pip install --no-deps --require-hashes -r "$REQUIREMENTS"

RUN groupadd --system --gid 10001 needle \
    && useradd --system --uid 10001 --gid 10001 --home-dir /app needle \
    && install -d -o needle -g needle /data

# With requirements.txt the image holds the AGPL-licensed package yolov5: NOTICE says what that means.
COPY LICENSE NOTICE ./
COPY common common
COPY worker worker
COPY models models
COPY --from=kernels /kernels/lib/needle lib/needle
COPY deploy/worker_health.py deploy/worker_health.py

USER 10001:10001
# Weights from the hub are kept beside the photos, so that each is downloaded once for all workers.
ENV NEEDLE_DATA_DIR=/data HF_HOME=/data/hub PYTHONPATH=/app
ENTRYPOINT ["python", "-m", "worker"]
CMD ["index"]
