#!/bin/sh
# Runs one of the programs of the image in place of this shell, so that signals reach it.
app="${CADASTRE_APP:-/app}"
program="$1"
[ "$#" -gt 0 ] && shift
case "$program" in
  control-plane | storage-agent | router) exec node --enable-source-maps "$app/apps/$program/dist/main.js" "$@" ;;
  node-labels) exec node "$app/apps/storage-agent/dist/node-labels/main.js" "$@" ;;
  cadastre) exec node "$app/apps/cli/bin/cadastre.mjs" "$@" ;;
  *)
    echo "cadastre image: give one of control-plane, storage-agent, router, node-labels, cadastre" >&2
    exit 1
    ;;
esac
