package segue.delta;

import java.io.IOException;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.AWSUnsupportedFeatureException;
import org.apache.hadoop.fs.s3a.RemoteFileChangedException;

/**
 * Asks a store, once a driver and bucket, whether it keeps {@code If-None-Match: *}. A store that does not know the header
 * ignores it and would overwrite commits without a word, so that only trying tells. A few small requests.
 */
final class ConditionalWriteProbe {
  private static final Set<String> SAFE = ConcurrentHashMap.newKeySet();

  private ConditionalWriteProbe() {}

  /** Throws {@link UnsafeStoreException} unless the store of {@code folder} refuses to create an object twice. */
  static void requireSupport(FileSystem fs, Path folder) throws IOException {
    String store = fs.getUri().toString();
    if (SAFE.contains(store)) return;
    // A name that no other driver has: two that probe at once must not answer one another.
    Path probe = new Path(folder, "_segue_probe_" + UUID.randomUUID());
    try {
      if (isCreatedTwice(fs, probe)) throw new UnsafeStoreException(store, "it created the same object twice", null);
    } catch (AWSUnsupportedFeatureException | IllegalArgumentException | UnsupportedOperationException unknown) {
      throw new UnsafeStoreException(store, "it does not know them: " + unknown.getMessage(), unknown);
    } finally {
      fs.delete(probe, false);
    }
    SAFE.add(store);
  }

  /** Both streams are open before the first is closed: so it is the store that has to refuse, not a look of S3A's before. */
  private static boolean isCreatedTwice(FileSystem fs, Path probe) throws IOException {
    FSDataOutputStream first = ConditionalCreateLogStore.openIfAbsent(fs, probe);
    FSDataOutputStream second = ConditionalCreateLogStore.openIfAbsent(fs, probe);
    first.close();
    try {
      second.close();
      return true;
    } catch (RemoteFileChangedException refused) {
      return false;
    }
  }
}
