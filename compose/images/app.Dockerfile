# The two Node processes. The worker has a Python with pyspark beside it: its jobs are clients of the warm Spark, and the
# streaming driver is a Spark of its own.
FROM maven:3.9-eclipse-temurin-17 AS jars
COPY spark-submit/pom.xml pom.xml
RUN mvn -B -q dependency:copy-dependencies -DoutputDirectory=/jars
COPY spark-submit/java java
RUN mvn -B -q -f java/pom.xml compiler:compile jar:jar -Dsegue.buildDirectory=/built \
  && mv /built/segue-spark.jar /jars/

FROM node:22-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY contracts contracts
COPY platform platform

FROM base AS api
COPY api api
# Where events wait while Kafka is away; a volume that is mounted there takes over its owner.
RUN mkdir /state && chown node:node /state
USER node
CMD ["node", "--import", "tsx", "api/server.ts"]

FROM base AS worker
COPY spark-submit/requirements.txt spark-submit/requirements.txt
RUN apt-get update \
  && apt-get install -y --no-install-recommends openjdk-17-jre-headless python3 python3-venv \
  && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /venv \
  && /venv/bin/pip install --no-cache-dir --require-hashes -r spark-submit/requirements.txt
COPY --from=jars /jars /opt/segue-jars
COPY activities activities
COPY workflows workflows
COPY worker worker
COPY spark-submit spark-submit
USER node
CMD ["node", "--import", "tsx", "worker/main.ts"]
