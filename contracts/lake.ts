import { nameProblem } from './acceptance/text.ts';
import lakeJson from './lake.json' with { type: 'json' };

/** The type of a lake column, in the words of Spark's simple types. */
export type ColumnType = 'string' | 'int' | 'long' | 'double' | 'boolean' | 'date' | 'timestamp' | 'array<string>';

/**
 * A column of a table. `required` means never null, and `allowed` lists the only values. `text` names the rules of
 * contracts/acceptance for a text, or for each text in a list, from outside.
 */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly text?: 'id' | 'name';
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

/** A Delta table at `data/<layer>/<name>`, with its grain and key. */
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

/** A kind of landing file: its table, the pattern of its name, and its header in order. */
export interface Dataset {
  readonly table: string;
  readonly filePattern: string;
  readonly columns: readonly string[];
  readonly required: boolean;
  /** Line breaks inside quotes may occur (dim_* files only). Event files hold an event per line. */
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
  /** The promises of maintenance and the thresholds for its work. Readers may rely on the two times. */
  readonly maintenance: {
    /** The hours for which a table version stays readable after a newer version has replaced it. */
    readonly timeTravelHours: number;
    /** The longest time for which a job reads a version, in hours. */
    readonly longestReaderHours: number;
    /**
     * The hours for which the log tells the changes since a version, after a checkpoint has replaced it. At least
     * `timeTravelHours`. With this value, a weekly refresh after two failed refreshes still need not start from
     * nothing.
     */
    readonly logRetentionHours: number;
    readonly smallFileBytes: number;
    readonly targetFileBytes: number;
    /** Compaction is worth it from this many small files on that have another beside them in their partition. */
    readonly smallFilesAtLeast: number;
    /** The number of commits since the last checkpoint that makes a new checkpoint worthwhile. */
    readonly logEntriesAtLeast: number;
    /** Serving snapshots that are kept however old they are, newest first. */
    readonly snapshotsAtLeast: number;
  };
  readonly datasets: readonly Dataset[];
  readonly tables: readonly LakeTable[];
};

/**
 * The dataset whose file pattern matches this base name. Undefined for a file without a table. Also undefined for a
 * name that breaks the rules of contracts/acceptance, because the name becomes the `_source_file` of every row.
 */
export function datasetOfFile(fileName: string): Dataset | undefined {
  if (nameProblem(fileName)) return undefined;
  return lake.datasets.find((dataset) => new RegExp(dataset.filePattern).test(fileName));
}
