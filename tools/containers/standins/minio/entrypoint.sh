# `server FOLDER`, as MinIO is called.
set -eu
folder=$2
if [ ! -e "$folder/meta.db" ]; then
    juicefs format --storage file --bucket "$folder/objects/" "sqlite3://$folder/meta.db" calls
fi
exec juicefs gateway "sqlite3://$folder/meta.db" 0.0.0.0:9000 --multi-buckets --keep-etag \
    --object-tag --object-meta --no-usage-report --no-banner --cache-dir /tmp/cache
