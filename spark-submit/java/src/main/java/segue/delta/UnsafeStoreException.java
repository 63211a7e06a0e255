package segue.delta;

import java.io.IOException;

/** The store cannot keep two drivers from overwriting one another's commits, and nobody has said that there is only one. */
public final class UnsafeStoreException extends IOException {
  private static final long serialVersionUID = 1L;

  UnsafeStoreException(String store, String why, Throwable cause) {
    super(
        store + " has no conditional writes (" + why + "): two Spark drivers could overwrite one another's commits. Use a "
            + "store that keeps If-None-Match, or, if one driver alone ever writes to its tables, set spark.hadoop."
            + ConditionalCreateLogStore.SINGLE_DRIVER + "=true.",
        cause);
  }
}
