#!/bin/sh
# Backs up the embedded mode while it runs: backup.sh DATA TARGET. Copies end in TARGET/okno-DATE.db, TARGET/blobs and
# TARGET/secret.key. The database goes first: files are never changed or removed, so every file it names is there after.
set -eu
[ $# -eq 2 ] || { echo "usage: backup.sh DATA TARGET" >&2; exit 2; }
data=$1 target=$2
copy="$target/okno-$(date -u +%Y-%m-%dT%H%M%SZ).db"
python=$(command -v /opt/okno/bin/python || command -v python3)
umask 077
mkdir -p "$target"

# One step for the whole copy: `sqlite3 .backup` takes many, and begins anew whenever a message comes in between.
"$python" - "$data/okno.db" "$copy.part" <<'PYTHON'
import pathlib, sqlite3, sys

source = sqlite3.connect(pathlib.Path(sys.argv[1]).absolute().as_uri() + "?mode=ro", uri=True, timeout=60)
copy = sqlite3.connect(sys.argv[2])
source.backup(copy)
copy.execute("PRAGMA journal_mode = DELETE")
if (verdict := copy.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
    sys.exit(f"the copy is damaged: {verdict}")
copy.close()
PYTHON
sync "$copy.part"
mv "$copy.part" "$copy"

if [ -d "$data/blobs" ]; then
    mkdir -p "$target/blobs"
    cp -a -n "$data/blobs/." "$target/blobs/"
fi
if [ -f "$data/secret.key" ]; then
    cp -p "$data/secret.key" "$target/secret.key"
fi
sync "$target"
echo "$copy"
