# An image in which the whole suite runs; docs/image.md says how to build and use it.
#   docker build --tag dni .                                 for the CPU
#   docker build --tag dni --build-arg ACCELERATOR=cuda .    with the CUDA 13 packages of constraints.txt

# Debian and its own Python 3.11: Python, its headers and the compilers come from one source and fit each other.
FROM debian:bookworm-slim

# PyTorch compiles its steps with g++, and its launchers of GPU kernels with gcc; both need Python's headers. The tests
# call git.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates g++ git make python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Everyone may write to the two folders, so that the image also works with `docker run --user`.
RUN useradd --create-home dni \
    && install --directory --owner=dni --group=dni /suite \
    && chmod 1777 /home/dni /suite
ENV HOME=/home/dni USER=dni
USER dni
WORKDIR /suite

# The packages are installed before the code is there, so that a change of the code does not install them again.
COPY --chown=dni:dni pyproject.toml constraints.txt Makefile LICENSE ./
ARG ACCELERATOR=cpu
ENV ACCELERATOR=$ACCELERATOR
# A further package index, for example one with CPU builds of PyTorch.
ARG PIP_EXTRA_INDEX_URL
ARG PIP_NO_CACHE_DIR=1
RUN touch README.md && make .venv/installed-$ACCELERATOR

# The same command again: it only makes the suite's own packages known. It always runs, because a cached layer may be
# older than the files, and make would then install when the image is used.
COPY --chown=dni:dni . .
RUN make --always-make .venv/installed-$ACCELERATOR
ENV PATH=/suite/.venv/bin:$PATH

# The full name of the commit, for the records of runs: the image has no repository.
ARG GIT_COMMIT
ENV DNI_GIT_COMMIT=$GIT_COMMIT

CMD ["make", "reproduce"]
