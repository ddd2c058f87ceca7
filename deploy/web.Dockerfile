# The web server: HTTP in, jobs and photos out. No torch, no models, no Qdrant.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements/web.txt requirements/web.txt
RUN pip install --no-deps --require-hashes -r requirements/web.txt

# The same user id in every image, so that all may write to the shared volume. A new volume takes
# its owner from the image's folder.
RUN groupadd --system --gid 10001 needle \
    && useradd --system --uid 10001 --gid 10001 --home-dir /app needle \
    && install -d -o needle -g needle /data

COPY LICENSE NOTICE ./
COPY common common
COPY web web

USER 10001:10001
ENV NEEDLE_HOST=0.0.0.0 NEEDLE_PORT=8080 NEEDLE_DATA_DIR=/data
EXPOSE 8080
CMD ["python", "-m", "web"]
