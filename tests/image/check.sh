#!/usr/bin/env bash
# Called beside a container of the image, which it trains, kills, restarts and stops (see check.py).
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../.venv/bin/python" "$here/check.py"
