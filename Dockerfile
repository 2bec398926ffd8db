# One image of the server. SQLite in the volume by default; QIAOMEN_DATABASE_URL names a PostgreSQL instead.

FROM python:3.13-slim AS build
RUN python -m venv /opt/qiaomen
ENV PATH=/opt/qiaomen/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The lock alone first: a change of our code does not install the world again.
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps .

FROM python:3.13-slim
# A number, not a name: orchestrators that refuse root can only read numbers.
RUN mkdir /data && chown 10001:10001 /data
COPY --from=build /opt/qiaomen /opt/qiaomen
ENV PATH=/opt/qiaomen/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# slim images carry no curl; urlopen raises on anything but success.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["qiaomen", "serve", "--host", "0.0.0.0", "--port", "8000"]
