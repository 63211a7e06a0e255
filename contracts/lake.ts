import { nameProblem } from './acceptance/text.ts';
import lakeJson from './lake.json' with { type: 'json' };

/** The type of a lake column, in the words of Spark's simple types. */
export type ColumnType = 'string' | 'int' | 'long' | 'double' | 'boolean' | 'date' | 'timestamp' | 'array<string>';

/** One column of a table; `required` means never null, `allowed` lists the only values. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly required?: boolean;
  readonly allowed?: readonly string[];
  readonly unit?: string;
  readonly note?: string;
}

/**
 * A check of a table beyond what its columns and key say; all run on every refresh, and a hard one that fails stops it.
 *   range       values lie between min and max
 *   share       the share of rows in which a boolean column is true is at least min
 *   references  the share of distinct values that `table` has in `tableColumn` is at least min
 *   freshness   the newest value is not older than the newest one of `table`
 */
export interface TableCheck {
  readonly check: 'range' | 'share' | 'references' | 'freshness';
  readonly column: string;
  readonly min?: number;
  readonly max?: number;
  readonly table?: string;
  /** The column of `table`; the same name unless told otherwise. */
  readonly tableColumn?: string;
  /** False for a check that only warns; true unless told otherwise. */
  readonly isHard?: boolean;
}

/** One Delta table at `data/<layer>/<name>`, with its grain and key. */
export interface LakeTable {
  readonly layer: 'bronze' | 'silver' | 'gold';
  readonly name: string;
  readonly grain: string;
  readonly key: readonly string[];
  readonly columns: readonly Column[];
  readonly partitionBy: readonly string[];
  readonly statsColumns: readonly string[];
  readonly checks?: readonly TableCheck[];
}

/** One kind of landing file: which table it feeds, how its name looks, and its header in order. */
export interface Dataset {
  readonly table: string;
  readonly filePattern: string;
  readonly columns: readonly string[];
  readonly required: boolean;
  /** Line breaks inside quotes may occur (dim_* files only); event files hold one event a line. */
  readonly multiLine: boolean;
}

/** The lake's layout, the same document that the Spark jobs read. */
export const lake = lakeJson as {
  readonly buckets: { readonly landing: string; readonly data: string; readonly serving: string };
  readonly prefixes: {
    readonly historical: string;
    readonly weekly: string;
    readonly control: string;
    readonly snapshots: string;
    readonly models: string;
    readonly pointer: string;
  };
  /** What maintenance keeps and when it acts. Readers may rely on the two times. */
  readonly maintenance: {
    /** A version of a table can be read for this long after a newer one took its place. */
    readonly timeTravelHours: number;
    /** The longest a job reads one version. */
    readonly longestReaderHours: number;
    readonly smallFileBytes: number;
    readonly targetFileBytes: number;
    /** Compaction is worth it from this many small files on that have another beside them in their partition. */
    readonly smallFilesAtLeast: number;
    /** A checkpoint is worth it from this many commits since the last one on. */
    readonly logEntriesAtLeast: number;
    /** Serving snapshots that are kept however old they are, newest first. */
    readonly snapshotsAtLeast: number;
  };
  readonly datasets: readonly Dataset[];
  readonly tables: readonly LakeTable[];
};

/**
 * The dataset whose file pattern fits this base name, or undefined for a file that no table is fed from: so for a name that is no
 * text by contracts/acceptance, for it becomes `_source_file` of every row.
 */
export function datasetOfFile(fileName: string): Dataset | undefined {
  if (nameProblem(fileName)) return undefined;
  return lake.datasets.find((dataset) => new RegExp(dataset.filePattern).test(fileName));
}
