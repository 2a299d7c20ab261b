#!/bin/sh
# The operator's commands with the service's settings and as its user, so that what they make belongs to it. Run by root.
set -eu
set -a
. /etc/keydesk/keydesk.env
set +a
cd /var/lib/keydesk
exec setpriv --reuid=keydesk --regid=keydesk --init-groups /opt/keydesk/.venv/bin/keydesk "$@"
