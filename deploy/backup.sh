#!/bin/sh
# Backs up the embedded mode while it runs: backup.sh DATA TARGET. Copies end in TARGET/okno-DATE.db, TARGET/blobs,
# TARGET/secret.key and TARGET/keys/keys-DATE.db. The database goes first: what it names, file or key, is there after.
# Copies of databases that are older than an erasure have to be thrown away: see "What has to be forgotten".
set -eu
[ $# -eq 2 ] || { echo "usage: backup.sh DATA TARGET" >&2; exit 2; }
data=$1 target=$2
at=$(date -u +%Y-%m-%dT%H%M%SZ)
copy="$target/okno-$at.db"
[ -f "$data/okno.db" ] || { echo "backup.sh: no database $data/okno.db" >&2; exit 1; }
python=$(command -v /opt/okno/bin/python || command -v python3)
umask 077
mkdir -p "$target"

# One step for the whole copy: `sqlite3 .backup` takes many, and begins anew whenever a message comes in between.
copied() {
    "$python" - "$1" "$2.part" <<'PYTHON'
import pathlib, sqlite3, sys

source = sqlite3.connect(pathlib.Path(sys.argv[1]).absolute().as_uri() + "?mode=ro", uri=True, timeout=60)
copy = sqlite3.connect(sys.argv[2])
source.backup(copy)
copy.execute("PRAGMA journal_mode = DELETE")
if (verdict := copy.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
    sys.exit(f"the copy is damaged: {verdict}")
copy.close()
PYTHON
    sync "$2.part"
    mv "$2.part" "$2"
}
copied "$data/okno.db" "$copy"
if [ -f "$data/keys.db" ]; then
    mkdir -p "$target/keys"
    copied "$data/keys.db" "$target/keys/keys-$at.db"
fi

if [ -d "$data/blobs" ]; then
    mkdir -p "$target/blobs"
    cp -a -n "$data/blobs/." "$target/blobs/"
fi
if [ -f "$data/secret.key" ]; then
    cp -p "$data/secret.key" "$target/secret.key"
fi
sync "$target"
echo "$copy"
