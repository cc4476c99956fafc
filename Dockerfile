# A server of weitiao, built from this repository; torch for CPUs only. Runs are mounted, not baked in:
#   docker build -t weitiao .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -v "$PWD/runs:/runs:ro" weitiao /runs/reviews --keys /runs/keys.json
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt .
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml hatch_build.py README.md LICENSE NOTICE ./
COPY src src
RUN sed '/^torch==/d; /^nvidia-/d; /^triton==/d' constraints.txt > pins.txt && pip install -c pins.txt '.[serve,compress,postgres]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home weitiao
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 WEITIAO_CACHE=/tmp/weitiao
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["weitiao", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--help"]
