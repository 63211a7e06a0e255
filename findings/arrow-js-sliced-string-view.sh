#!/usr/bin/env bash
# Arrow JS 21.2.0 and the string columns that Polars 2.1.0 writes (Arrow's string view).
#
# Arrow JS reads such a column, and a slice of it, rightly. The file that tableToIPC writes of the slice is damaged: the slice's
# offset counts twice, so each row has the title of the row after it and the last row has none. The numbers beside them are right.
# A column of Arrow's ordinary strings, sliced and written the same way, stays right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1
npm init -y > /dev/null
npm install --silent --ignore-scripts --no-audit --no-fund apache-arrow@21.2.0
venv/bin/python - <<'PY'
import polars as pl

titles = ["Hyperballad (Live at the Forum)", "Hunter", "Bachelorette (radio edit)", "Unravel"]
listens = pl.DataFrame({"title": titles, "plays": [1, 2, 3, 4]})
listens.write_ipc("listens.arrow", compression="uncompressed")
listens.write_ipc("ordinary.arrow", compression="uncompressed", compat_level=pl.CompatLevel.oldest())
PY
cat > run.mjs <<'JS'
import { readFileSync, writeFileSync } from 'node:fs';
import { tableFromIPC, tableToIPC } from 'apache-arrow';

const rows = (table) =>
  Array.from({ length: table.numRows }, (_, row) => {
    try {
      return `${table.getChild('plays').get(row)} ${table.getChild('title').get(row)}`;
    } catch (error) {
      return `${table.getChild('plays').get(row)} (${error.message})`;
    }
  }).join(' | ');
const sliced = tableFromIPC(readFileSync('listens.arrow')).slice(1);
console.log('slice:', rows(sliced));
writeFileSync('sliced.arrow', tableToIPC(sliced, 'file'));
console.log('written and read again:', rows(tableFromIPC(readFileSync('sliced.arrow'))));
const ordinary = tableFromIPC(readFileSync('ordinary.arrow')).slice(1);
console.log('ordinary strings, the same way:', rows(tableFromIPC(tableToIPC(ordinary, 'file'))));
JS
node run.mjs | tee out
venv/bin/python - <<'PY' | tee -a out
import pyarrow as pa

titles = pa.ipc.open_file("sliced.arrow").read_all().column("title")
try:
    titles.validate(full=True)
    print("PyArrow:", titles.to_pylist())
except pa.ArrowInvalid as error:
    print("PyArrow:", "refuses the file's column")
PY
diff out - <<'SEEN' && echo "as before: Arrow JS 21.2.0 writes a sliced string view with its offset counted twice"
slice: 2 Hunter | 3 Bachelorette (radio edit) | 4 Unravel
written and read again: 2 Bachelorette (radio edit) | 3 Unravel | 4 (BinaryView data buffer is too short: expected 16 bytes, got 0)
ordinary strings, the same way: 2 Hunter | 3 Bachelorette (radio edit) | 4 Unravel
PyArrow: refuses the file's column
SEEN
