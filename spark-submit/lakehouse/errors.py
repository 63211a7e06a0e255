"""The failures a job can end with; each has the exit code that tells the caller whether a retry can help."""

EXIT_RETRYABLE = 1
EXIT_BAD_PARAMETERS = 64
EXIT_BROKEN_CONTRACT = 65
EXIT_UNSAFE_STORE = 66
EXIT_RETENTION_TOO_SHORT = 67
EXIT_FAILED_CHECKS = 68
EXIT_CANCELLED = 143


class BadParameters(Exception):
    """The parameter document cannot be used as it is: no retry can help."""

    exit_code = EXIT_BAD_PARAMETERS


class BrokenContract(Exception):
    """The data is not what the contract says (a header, a missing file or table): no retry can help."""

    exit_code = EXIT_BROKEN_CONTRACT


class RetentionTooShort(Exception):
    """A vacuum would remove files that somebody was promised to find: no retry can help."""

    exit_code = EXIT_RETENTION_TOO_SHORT


def exit_code_of(error: Exception) -> int:
    """The exit code that tells the caller what kind of failure this is."""
    # Raised in Spark by our log store, so that its name arrives inside the text of an error of Spark's.
    if "segue.delta.UnsafeStoreException" in str(error):
        return EXIT_UNSAFE_STORE
    return getattr(error, "exit_code", EXIT_RETRYABLE)


class FailedChecks(Exception):
    """A table does not pass a hard check of its contract: no retry can help."""

    exit_code = EXIT_FAILED_CHECKS
