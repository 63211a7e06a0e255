package segue.spark;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;

/**
 * The warm Spark: one Spark context that serves Spark Connect until the process is told to end.
 *
 * <p>Spark's own SparkConnectServer gives every session a class loader of its own, for the jars that clients may add, and the
 * code that Spark generates for a query is kept by class loader. Here every job is a session and none adds a jar: each job would
 * have the same code generated, loaded and compiled anew. With Spark Connect as a plugin of this context the settings of
 * conf/spark-defaults.conf decide, and what one job's queries were compiled to serves the next one's.
 */
public final class WarmServer {
  private static final String PLUGIN = "org.apache.spark.sql.connect.SparkConnectPlugin";

  private WarmServer() {}

  /** Serves on spark.connect.grpc.binding.address and .port until SIGTERM, at which Spark's own hook stops the context. */
  public static void main(String[] args) throws InterruptedException {
    SparkContext.getOrCreate(new SparkConf().set("spark.plugins", PLUGIN));
    Thread.currentThread().join();
  }
}
