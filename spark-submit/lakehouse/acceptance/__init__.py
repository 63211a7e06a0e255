"""The one definition of an acceptable listen, for Spark: contracts/acceptance/README.md."""
