# syntax=docker/dockerfile:1
# Four layers on Python's slim image: the user; the packages, which change with uv.lock; the program,
# which changes with every release and is small; an empty database. No compiler, no package manager of
# ours and no secret is in any of them.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS packages
ARG UV_VERSION=0.13.9
ENV UV_PYTHON_DOWNLOADS=never \
    UV_PYTHON_PREFERENCE=only-system \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/app/.venv
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-cache --no-install-project --group image --extra otel
COPY loanapp/image/trim.py ./
RUN python trim.py /app/.venv/lib/python*/site-packages \
 && echo /app/program > "$(echo /app/.venv/lib/python*/site-packages)/loanapp.pth"

FROM packages AS program
COPY pyproject.toml README.md ./
COPY loanapp ./loanapp
COPY pages ./pages
COPY .streamlit ./.streamlit
RUN uv pip install --no-cache --no-deps --python /app/.venv/bin/python --target /app/program . \
 && LOANAPP_HOME=/app/seed /app/.venv/bin/python -m loanapp.image migrate

FROM python:${PYTHON_VERSION}-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /data --create-home --shell /usr/sbin/nologin loanapp \
 && rm -rf /usr/local/lib/python*/site-packages/pip* /usr/local/bin/pip*
COPY --from=packages /app/.venv /app/.venv
COPY --from=program /app/program /app/program
COPY --from=program /app/seed /app/seed
COPY supervisord.conf /app/supervisord.conf
ENV PATH=/app/program/bin:/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    LOANAPP_HOME=/data \
    LOANAPP_LOG_JSON=true \
    LOANAPP_API_WORKERS=1 \
    LOANAPP_MLFLOW_HOST=127.0.0.1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 8501 5000
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s --retries=3 \
    CMD ["python", "-m", "loanapp.image", "check"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "loanapp.image", "run"]

ARG PYTHON_VERSION
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Loanapp" \
      org.opencontainers.image.description="Predict the amount of a loan from a client file, and look after the model that does it." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:${PYTHON_VERSION}-slim-bookworm"
