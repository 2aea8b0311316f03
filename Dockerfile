# One image for every process; compose.yaml says which command makes which.
# By digest where you know it: --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:... (docs/deployment.md)
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.txt

FROM ${PYTHON_IMAGE}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin ringfence
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
RUN python manage.py collectstatic --no-input && mkdir -p var && chown -R ringfence var
USER ringfence
EXPOSE 8000
# Whatever the Host: see ProbesMiddleware in config/middleware.py. For sockets too, which listen on the same port.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
# Pages and API. Sockets: python -m config.web -b 0.0.0.0 -p 8000 config.asgi:application
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "48", "--access-logfile", "-", "--logger-class", "config.access_log.GunicornLog"]
