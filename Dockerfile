# syntax=docker/dockerfile:1
ARG PYTHON_VERSION=3.13

# What is installed, and a migrated, empty database: nothing of the build's tools goes further.
FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never \
    UV_PYTHON_PREFERENCE=only-system \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/app/.venv
RUN pip install --no-cache-dir uv
WORKDIR /build
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-cache --no-install-project --group image \
 && find /app/.venv -type d \( -name tests -o -name test \) -path '*/site-packages/*' \
      \( -path '*/sklearn/*' -o -path '*/pandas/*' -o -path '*/pyarrow/*' -o -path '*/numpy/*' \) \
      -prune -exec rm -rf {} + \
 && rm -rf /app/.venv/lib/python*/site-packages/tensorflow/include \
           /app/.venv/lib/python*/site-packages/pyarrow/include
COPY loanapp ./loanapp
COPY pages ./pages
COPY .streamlit ./.streamlit
RUN uv sync --frozen --no-cache --no-editable --group image \
 && LOANAPP_HOME=/app/seed /app/.venv/bin/python -m loanapp.image migrate

FROM python:${PYTHON_VERSION}-slim-bookworm
LABEL org.opencontainers.image.title="Loanapp" \
      org.opencontainers.image.description="Predict the amount of a loan from a client file, and look after the model that does it."
RUN useradd --uid 10001 --user-group --home-dir /data --create-home --shell /usr/sbin/nologin loanapp
COPY --from=build /app /app
COPY supervisord.conf /app/supervisord.conf
ENV PATH=/app/.venv/bin:$PATH \
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
