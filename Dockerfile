# knavtool with Helm, which renders templates. For clusters: see docs/in-cluster.md.

# Built from the modules that `knavtool toolchain` builds it from; go.sum has the checksum of each.
FROM golang:1.26.0-bookworm AS helm
WORKDIR /helm
COPY knavtool/toolchain/modules/helm/ ./
ARG HELM_VERSION=3.22.0
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -o /usr/local/bin/helm \
    -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=v${HELM_VERSION}" helm.sh/helm/v3/cmd/helm

FROM python:3.13.9-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY charts/ charts/
COPY schemas/ schemas/
COPY workflows/ workflows/
COPY knavtool/ knavtool/
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
    && python -m venv /opt/knavtool \
    && /opt/knavtool/bin/python -m pip install --no-cache-dir /wheel/*.whl

FROM python:3.13.9-slim-bookworm
LABEL org.opencontainers.image.title="knavtool" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=helm /usr/local/bin/helm /usr/local/bin/helm
COPY --from=wheel /opt/knavtool /opt/knavtool
# So that `run workflows/k8s/test-job.yml` finds what the image brings.
WORKDIR /knavtool
COPY workflows/ workflows/
ENV PATH=/opt/knavtool/bin:$PATH \
    KNAVTOOL_HELM_BINARY=/usr/local/bin/helm \
    HOME=/tmp
USER 65532:65532
ENTRYPOINT ["knavtool"]
CMD ["--help"]
