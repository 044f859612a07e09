# usherd as a container: docker build -t usherd . && docker run --init -v usherd:/var/lib/usherd -v ./config:/etc/usherd:ro usherd
#
# The workspace mounted at /etc/usherd has to listen on the container's address rather than on its loopback:
#   channels.email.smtp.listen "0.0.0.0:2525" and web.listen "0.0.0.0:8080"

FROM python:3.13-slim-bookworm AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# The build tools come from the developers' lock, by hash like all else; nothing of this stage is shipped but the wheel.
# setuptools first: what ships no wheel is built with it, not with whatever is newest that day.
COPY requirements.lock ./
RUN awk '/^[A-Za-z]/ { kept = /^setuptools==/ } kept' requirements.lock >first.lock && python -m venv /build \
 && /build/bin/pip install --no-deps --require-hashes -r first.lock \
 && /build/bin/pip install --no-deps --no-build-isolation --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY config/ config/
COPY router/ router/
COPY channels/ channels/
COPY skills/ skills/
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.13-slim-bookworm AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY --from=wheel /src/first.lock ./
COPY requirements-run.lock ./
RUN python -m venv /opt/usherd && /opt/usherd/bin/pip install --no-deps --require-hashes -r first.lock \
 && /opt/usherd/bin/pip install --no-deps --no-build-isolation --require-hashes -r requirements-run.lock \
 && /opt/usherd/bin/pip uninstall --yes setuptools
COPY --from=wheel /wheels/ /wheels/
RUN /opt/usherd/bin/pip install --no-deps --no-index /wheels/*.whl && /opt/usherd/bin/pip check

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="usherd" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/usherd/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 usherd \
 && useradd --uid 10001 --gid usherd --home-dir /var/lib/usherd --no-create-home --shell /usr/sbin/nologin usherd \
 && install --directory --owner=usherd --group=usherd --mode=0700 /var/lib/usherd
COPY --from=environment /opt/usherd/ /opt/usherd/
COPY config/ /etc/usherd/
USER 10001:10001
WORKDIR /var/lib/usherd
# The store and the blobs: without a volume here, all that was accepted goes with the container.
VOLUME ["/var/lib/usherd"]
EXPOSE 2525 8080
# SIGTERM drains: nothing new is taken, what is under way is finished. Give it time: docker stop --time 30
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=3)"]
ENTRYPOINT ["usherd"]
CMD ["run", "--config", "/etc/usherd", "--data", "/var/lib/usherd"]
