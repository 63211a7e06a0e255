package segue.delta;

import io.delta.storage.internal.S3LogStoreUtil;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

/**
 * Lists a table's log on an S3 store at a cost that does not grow with the number of commits. Delta asks for a log in two ways: from
 * its last checkpoint on, to the end; and from its first version on, until it meets a version that can be read. So the store is asked
 * for what comes after a key, or for one page after another as they are needed.
 */
final class LogListing {
  private LogListing() {}

  /** Files right in the folder of {@code path} whose names are not before its own, in order; throws where there is no folder. */
  static Iterator<FileStatus> from(FileSystem fs, Path path) throws IOException {
    Path folder = path.getParent();
    if (isFirstVersion(path.getName())) return pages(fs.listStatusIterator(folder), path.getName());
    FileStatus[] found = S3LogStoreUtil.s3ListFromArray(fs, fs.makeQualified(path), fs.makeQualified(folder));
    if (found.length == 0 && !fs.exists(folder)) throw new FileNotFoundException("No such folder: " + folder);
    return Arrays.stream(found)
        .filter(file -> file.getPath().getParent().getName().equals(folder.getName()))
        .filter(file -> file.getPath().getName().compareTo(path.getName()) >= 0)
        .sorted(Comparator.comparing(file -> file.getPath().getName()))
        .iterator();
  }

  private static boolean isFirstVersion(String name) {
    return name.startsWith("00000000000000000000.");
  }

  /** A store lists keys in order: the next page is read when it is asked for. */
  private static Iterator<FileStatus> pages(RemoteIterator<FileStatus> listed, String first) {
    return new Iterator<>() {
      private FileStatus next = advance();

      @Override
      public boolean hasNext() {
        return next != null;
      }

      @Override
      public FileStatus next() {
        if (next == null) throw new NoSuchElementException();
        FileStatus taken = next;
        next = advance();
        return taken;
      }

      private FileStatus advance() {
        try {
          while (listed.hasNext()) {
            FileStatus file = listed.next();
            if (file.getPath().getName().compareTo(first) >= 0) return file;
          }
          return null;
        } catch (IOException failure) {
          throw new UncheckedIOException(failure);
        }
      }
    };
  }
}
