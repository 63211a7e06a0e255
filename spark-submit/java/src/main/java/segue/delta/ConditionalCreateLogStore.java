package segue.delta;

import io.delta.storage.HadoopFileSystemLogStore;
import io.delta.storage.LogStore;
import io.delta.storage.S3SingleDriverLogStore;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Delta's log on an S3 store, safe for any number of drivers: a commit is one conditional create ({@code If-None-Match: *}),
 * which the store grants to exactly one of those who write the same version. Delta's own S3 store looks whether the version
 * is free and then writes it; a commit of another driver in between is overwritten and its rows are lost.
 *
 * <p>Set by {@code spark.delta.logStore.s3a.impl}. At the first commit to a bucket the store is asked whether it keeps the
 * condition (see {@link ConditionalWriteProbe}). Where it does not, {@value #SINGLE_DRIVER} = true falls back to Delta's own.
 */
public final class ConditionalCreateLogStore extends HadoopFileSystemLogStore {
  /** The promise that one driver alone writes to every table, which makes a store without conditional writes usable. */
  public static final String SINGLE_DRIVER = "segue.logstore.single.driver";

  private static final String CONDITIONAL = "fs.option.create.conditional.overwrite";

  private final LogStore singleDriverStore;

  public ConditionalCreateLogStore(Configuration conf) {
    super(conf);
    singleDriverStore = new S3SingleDriverLogStore(conf);
  }

  /**
   * Writes one file of the log. Throws {@link FileAlreadyExistsException} when another writer has this version, which is
   * how Delta learns that it has to look at that commit and try the next version.
   */
  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
    if (conf.getBoolean(SINGLE_DRIVER, false)) {
      singleDriverStore.write(path, actions, overwrite, conf);
      return;
    }
    FileSystem fs = path.getFileSystem(conf);
    byte[] content = toBytes(actions);
    if (overwrite) {
      publish(fs.create(path, true), content);
      return;
    }
    ConditionalWriteProbe.requireSupport(fs, path.getParent());
    try {
      publish(openIfAbsent(fs, path), content);
    } catch (IOException failure) {
      settle(fs, path, content, failure);
    }
  }

  /** One listing of the log's folder; asking first whether it is there, as Delta's own store does, takes three more requests. */
  @Override
  public Iterator<FileStatus> listFrom(Path path, Configuration conf) throws IOException {
    FileSystem fs = path.getFileSystem(conf);
    return Arrays.stream(fs.listStatus(path.getParent()))
        .filter(file -> file.getPath().getName().compareTo(path.getName()) >= 0)
        .sorted(Comparator.comparing(file -> file.getPath().getName()))
        .iterator();
  }

  /** An object of an S3 store is there whole or not at all. */
  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration conf) {
    return false;
  }

  /** A stream to a file that must not be there when the stream is closed; {@code must} makes a file system without that refuse. */
  static FSDataOutputStream openIfAbsent(FileSystem fs, Path path) throws IOException {
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path);
    builder.overwrite(false);
    builder.must(CONDITIONAL, true);
    return builder.build();
  }

  /** Writes a whole file or nothing: what cannot be buffered whole must not be published by the close. */
  private static void publish(FSDataOutputStream out, byte[] content) throws IOException {
    try {
      out.write(content);
    } catch (IOException unwritten) {
      out.abort();
      throw unwritten;
    }
    out.close();
  }

  /**
   * Finds out what became of a write that failed: a lost race, or a commit of ours whose answer was lost on the way, so that
   * S3A's second try met its first. No two commits have the same bytes: each holds the id of its transaction.
   */
  private static void settle(FileSystem fs, Path path, byte[] content, IOException failure) throws IOException {
    byte[] found;
    try (FSDataInputStream in = fs.open(path)) {
      found = in.readAllBytes();
    } catch (FileNotFoundException nothingWritten) {
      throw failure;
    } catch (IOException unknown) {
      failure.addSuppressed(unknown);
      throw failure;
    }
    if (Arrays.equals(found, content)) return;
    FileAlreadyExistsException lost = new FileAlreadyExistsException(path.toString());
    lost.initCause(failure);
    throw lost;
  }

  private static byte[] toBytes(Iterator<String> actions) {
    StringBuilder text = new StringBuilder();
    while (actions.hasNext()) text.append(actions.next()).append('\n');
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }
}
