# One image for every worker, the commands and the two sandboxes. glibc on x86-64: faust-streaming has no wheel for musl or for Linux on ARM.
FROM python:3.11-slim AS build
WORKDIR /build
# Every file is fetched here with the hash that the lock says; the next step takes those that it needs, and no network.
COPY requirements.lock .
RUN pip download --disable-pip-version-check --progress-bar off --require-hashes --only-binary :all: --dest wheels -r requirements.lock
COPY . .
RUN python -m venv /opt/weighlock \
    && /opt/weighlock/bin/pip install --disable-pip-version-check --no-cache-dir --no-index --find-links wheels '.[sandbox]'

FROM python:3.11-slim
COPY --from=build /opt/weighlock /opt/weighlock
COPY deploy/run-worker /usr/local/bin/
ENV PATH=/opt/weighlock/bin:$PATH WEIGHLOCK_STATE=/var/lib/weighlock
# A named volume takes the owner that its folder has in the image.
RUN useradd --system --create-home --uid 10001 weighlock && install --directory --owner weighlock --mode 0700 /var/lib/weighlock
USER weighlock
WORKDIR /var/lib/weighlock
CMD ["weighlock", "--help"]
