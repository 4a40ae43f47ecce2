#!/bin/sh
# Makes every vector file anew. Debian packages: redis-server postgresql xxhash erlang-base erlang-crypto golang-go
# golang-golang-x-text-dev openssl python3. npm packages, outside the repository:
#   npm install --prefix "$ORACLES" kafkajs cassandra-driver bson murmurhash3js-revisited
set -eu
cd "$(dirname "$0")"
for script in redis kafka cassandra digests xxhash des riak murmur mongodb; do node "$script.mjs"; done
sh postgres.sh
