#!/bin/sh
# The command `keydesk` inside the container.
export PYTHONPATH=/opt/keydesk
exec /opt/keydesk/.venv/bin/python -m app "$@"
