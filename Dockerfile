# sercore with every corpus and backbone plugin.
#
#   docker build -t sercore .                                            # PyTorch for the CPU
#   docker build -t sercore:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
#   docker run -v ~/corpora:/data:ro -v ~/results:/workspace sercore run --all --data /data
FROM python:3.13-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

COPY . /src
WORKDIR /src
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch<2.15" torchaudio \
    && pip install --no-cache-dir ".[report,notebook]" ./plugins/*/* \
    && rm -rf /src \
    && useradd --create-home sercore \
    && mkdir /data /workspace \
    && chown sercore /workspace

USER sercore
WORKDIR /workspace
ENV SERCORE_WORKSPACE=/workspace SERCORE_DATA=/data HF_HOME=/workspace/huggingface
VOLUME ["/workspace"]
ENTRYPOINT ["sercore"]
CMD ["--help"]
