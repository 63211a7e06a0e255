# The warm Spark: PySpark's own distribution and the jars of spark-submit/pom.xml.
FROM maven:3.9-eclipse-temurin-17 AS jars
COPY spark-submit/pom.xml pom.xml
RUN mvn -B -q dependency:copy-dependencies -DoutputDirectory=/jars
COPY spark-submit/java java
RUN mvn -B -q -f java/pom.xml compiler:compile jar:jar -Dsegue.buildDirectory=/built \
  && mv /built/segue-spark.jar /jars/

FROM eclipse-temurin:17-jre-jammy
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 python3-venv procps \
  && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /venv
COPY spark-submit/requirements.txt /app/spark-submit/requirements.txt
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r /app/spark-submit/requirements.txt
COPY --from=jars /jars /jars
COPY spark-submit /app/spark-submit
ENV SPARK_HOME=/venv/lib/python3.10/site-packages/pyspark PYSPARK_PYTHON=/venv/bin/python
