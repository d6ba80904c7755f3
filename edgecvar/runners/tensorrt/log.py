"""What TensorRT says: kept line by line, instead of being written to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    import tensorrt as trt


class BuildLog:
    """What TensorRT says, all of it kept; `errors` are the lines at error level."""

    def __init__(self) -> None:
        self.lines: List[str] = []
        self.errors: List[str] = []

    def add(self, severity: str, message: str) -> None:
        self.lines.append(f"[{severity}] {message}")
        if "ERROR" in severity:
            self.errors.append(" ".join(message.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def last_error(self) -> str:
        """The last error, or that there was none."""
        return self.errors[-1][:300] if self.errors else "TensorRT gave no reason"


def logger_into(log: BuildLog) -> trt.ILogger:
    """TensorRT's logger that writes into `log` instead of the terminal."""
    import tensorrt as trt

    class Recorder(trt.ILogger):  # type: ignore[misc]  # TensorRT has no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            # Verbose is a line for each tactic that was timed: more memory than a Nano has to spare.
            if severity.name != "VERBOSE":
                log.add(severity.name, msg)

    return Recorder()
