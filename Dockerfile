# Borg Hive with Debian's borg 1.4 and rsync; everything it keeps is in /data.

FROM debian:trixie-slim AS build
# No versions of packages: Debian's security updates are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python3 -m venv /opt/borg-hive \
    && /opt/borg-hive/bin/pip install --no-cache-dir '.[apprise]'

FROM debian:trixie-slim
# The number of the user never changes: it owns the files in the volume.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends borgbackup ca-certificates python3 rsync \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 900 --user-group --home-dir /data --shell /usr/sbin/nologin borg-hive \
    && install --directory --mode 0700 --owner borg-hive --group borg-hive /data
COPY --from=build /opt/borg-hive /opt/borg-hive

# Inside a container nothing but its own network can reach these; what is published decides.
ENV PATH=/opt/borg-hive/bin:/usr/local/bin:/usr/bin:/bin \
    HIVE_DATA_DIR=/data \
    HIVE_SSH__LISTEN=0.0.0.0:2222 \
    HIVE_WEB__LISTEN=0.0.0.0:8080
USER 900:900
WORKDIR /data
VOLUME /data
EXPOSE 2222 8080
HEALTHCHECK --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=9)"]
ENTRYPOINT ["hive"]
CMD ["serve"]
