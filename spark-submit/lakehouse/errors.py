"""The failures a job can end with; each has the exit code that tells the caller whether a retry can help."""

EXIT_RETRYABLE = 1
EXIT_BAD_PARAMETERS = 64
EXIT_BROKEN_CONTRACT = 65
EXIT_CANCELLED = 143


class BadParameters(Exception):
    """The parameter document cannot be used as it is: no retry can help."""

    exit_code = EXIT_BAD_PARAMETERS


class BrokenContract(Exception):
    """The data is not what the contract says (a header, a missing file or table): no retry can help."""

    exit_code = EXIT_BROKEN_CONTRACT
