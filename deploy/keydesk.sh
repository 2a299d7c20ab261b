#!/bin/sh
# Runs the operator's commands with the service's settings and as its user, so that it owns the files they create. Run as root.
set -eu
set -a
. /etc/keydesk/keydesk.env
set +a
cd /var/lib/keydesk
exec setpriv --reuid=keydesk --regid=keydesk --init-groups /opt/keydesk/.venv/bin/keydesk "$@"
