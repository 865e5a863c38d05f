#!/usr/bin/env bash
# Start a worker for every queue and beat, against your own Redis. Ctrl-C ends both.
# `python3 run.py` does this and more by itself; this script is for who runs the parts by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/celery ]; then
    echo "The environment is not set up yet; running: python3 run.py setup"
    python3 run.py setup
fi

# A value of .env, which is no shell script: paths in it may hold spaces.
from_file() {
    [ -f .env ] || return 0
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1 | tr -d "\"'\r"
}

url="${CELERY_BROKER_URL:-$(from_file CELERY_BROKER_URL)}"
url="${url:-${REDIS_URL:-$(from_file REDIS_URL)}}"
url="${url:-redis://127.0.0.1:6379/0}"

if ! .venv/bin/python - "$url" <<'PY'
import sys
import redis
try:
    redis.Redis.from_url(sys.argv[1], socket_connect_timeout=2, socket_timeout=2).ping()
except redis.RedisError as error:
    sys.exit(f"No Redis answers: {error}")
PY
then
    echo "Start one first, for example: redis-server --maxmemory-policy noeviction"
    echo "or: docker run -p 127.0.0.1:6379:6379 redis:7 (see REDIS_CELERY_SETUP_GUIDE.md)"
    exit 1
fi
export REDIS_URL="$url"

.venv/bin/celery -A backend.celery_app worker --loglevel=info --pool=threads &
worker=$!
.venv/bin/celery -A backend.celery_app beat --loglevel=info &
beat=$!
echo "worker is process $worker, beat is process $beat; Ctrl-C ends both"

stop() {
    kill -TERM "$beat" "$worker" 2>/dev/null || true
}
trap stop INT TERM
wait || true # a signal ends this one early
wait || true # until both have ended
