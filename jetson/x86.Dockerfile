# Any x86-64 machine: ONNX Runtime on its processor, I-pictures by VA-API where /dev/dri is given. Build from the
# checkout's top; not built by us yet:
#   docker build -f jetson/x86.Dockerfile -t edgecvar:x86 .
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make gstreamer1.0-tools gstreamer1.0-plugins-base \
        gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly va-driver-all \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE constraints.txt /opt/edgecvar-source/
COPY edgecvar /opt/edgecvar-source/edgecvar
COPY recipes /opt/edgecvar-source/recipes
RUN PIP_CONSTRAINT=/opt/edgecvar-source/constraints.txt pip install --no-cache-dir '/opt/edgecvar-source[live]' \
    && useradd --uid 990 --create-home --groups video edgecvar
USER 990
WORKDIR /home/edgecvar
ENTRYPOINT ["edgecvar"]
CMD ["run", "test://", "--events"]
