import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A producer that is not ours: Kafka's own client. Takes a command a line, fields between tabs, and answers each with "ok" or "error
 * MESSAGE": `send|commit|abort TOPIC CODEC TIMESTAMP KEY VALUE KEY VALUE …`; `commit` and `abort` end a transaction that holds the
 * records; TIMESTAMP is in milliseconds, or empty.
 */
public class Guest {
  private static final Map<String, KafkaProducer<String, String>> producers = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      try {
        obey(arguments[0], line.split("\t", -1));
        System.out.println("ok");
      } catch (Exception error) {
        System.out.println("error " + String.valueOf(error.getMessage()).replace('\n', ' '));
      }
    }
  }

  private static void obey(String servers, String[] words) throws Exception {
    boolean isTransaction = !words[0].equals("send");
    KafkaProducer<String, String> producer = producer(servers, words[2], isTransaction);
    if (isTransaction) producer.beginTransaction();
    Long timestamp = words[3].isEmpty() ? null : Long.valueOf(words[3]);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (int at = 4; at + 1 < words.length; at += 2) {
      sent.add(producer.send(new ProducerRecord<>(words[1], null, timestamp, words[at], words[at + 1])));
    }
    producer.flush();
    for (Future<RecordMetadata> each : sent) each.get();
    if (words[0].equals("commit")) producer.commitTransaction();
    if (words[0].equals("abort")) producer.abortTransaction();
  }

  private static KafkaProducer<String, String> producer(String servers, String codec, boolean isTransaction) {
    String name = codec + isTransaction;
    if (!producers.containsKey(name)) producers.put(name, connect(servers, codec, isTransaction));
    return producers.get(name);
  }

  private static KafkaProducer<String, String> connect(String servers, String codec, boolean isTransaction) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", servers);
    settings.put("compression.type", codec);
    settings.put("linger.ms", "50");
    if (isTransaction) settings.put("transactional.id", "guest-" + codec);
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    if (isTransaction) producer.initTransactions();
    return producer;
  }
}
