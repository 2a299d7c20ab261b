# Keydesk in a container: `docker build -t keydesk .`; docs/operations.md says how to run it.
FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt /
RUN python -m venv /opt/keydesk/.venv \
 && /opt/keydesk/.venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /requirements.txt \
 && /opt/keydesk/.venv/bin/pip check

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/keydesk keydesk \
 && install -d -m 0700 -o keydesk -g keydesk /var/lib/keydesk
COPY --from=packages /opt/keydesk/.venv /opt/keydesk/.venv
COPY app /opt/keydesk/app
COPY docs /opt/keydesk/docs
COPY graphql /opt/keydesk/graphql
COPY static /opt/keydesk/static
COPY templates /opt/keydesk/templates
COPY migrations /opt/keydesk/migrations
COPY --chmod=0755 deploy/container.sh /usr/local/bin/keydesk
# Compiled at build time, because the file system is read-only at run time.
RUN /opt/keydesk/.venv/bin/python -m compileall -q /opt/keydesk/app /opt/keydesk/migrations
ENV KEYDESK_HOST=0.0.0.0 \
    KEYDESK_DATABASE_URL=sqlite:////var/lib/keydesk/keydesk.db \
    PYTHONDONTWRITEBYTECODE=1
USER keydesk
WORKDIR /var/lib/keydesk
VOLUME /var/lib/keydesk
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["/opt/keydesk/.venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
ENTRYPOINT ["keydesk"]
CMD ["serve"]
