# The command deepconvsep on a CPU, with the NumPy engine: docker build -t deepconvsep .
# docker run --rm -v "$PWD:/music" deepconvsep separate song.wav -o stems
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python3 -m venv /opt/deepconvsep \
 && /opt/deepconvsep/bin/pip install --no-cache-dir /src \
 && rm -rf /src
WORKDIR /music
ENTRYPOINT ["/opt/deepconvsep/bin/deepconvsep"]
CMD ["--help"]
