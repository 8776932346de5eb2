"""What is changed in Horovod's source before it is built: exact replacements, each found exactly once.

Two changes. C++17, which the headers of torch 2.1 and later need. And a note of the moment at which each
tensor was averaged (``horovod_torch_last_finished_ns``): Horovod's own interface tells only that it was.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from saih.domain.errors import DamagedData


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A text that stands once in a file, and what takes its place."""

    file: str
    old: str
    new: str


_RELEASE = """  auto status = results_[handle];
  results_.erase(handle);
"""
_NOTED_RELEASE = """  auto status = results_[handle];
  last_finished_ns_ = finished_ns_[handle];
  finished_ns_.erase(handle);
  results_.erase(handle);
"""
_MARK = """  results_[handle] = std::make_shared<Status>(status);
}
"""
_NOTED_MARK = """  results_[handle] = std::make_shared<Status>(status);
  finished_ns_[handle] = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t HandleManager::LastFinishedNs() {
  std::lock_guard<std::mutex> guard(mutex_);
  return last_finished_ns_;
}
"""
_FIELDS = """  std::unordered_map<int, std::shared_ptr<Status>> results_;
"""
_RESET = """  m.def("horovod_torch_reset", &Reset);
"""
_NOTED_RESET = """  m.def("horovod_torch_reset", &Reset);
  m.def("horovod_torch_last_finished_ns", []() { return handle_manager.LastFinishedNs(); });
"""

EDITS = (
    Edit(file="CMakeLists.txt", old="set(CMAKE_CXX_STANDARD 14)", new="set(CMAKE_CXX_STANDARD 17)"),
    Edit(
        file="horovod/torch/CMakeLists.txt",
        old="set(CMAKE_CXX_STANDARD 14)",
        new="set(CMAKE_CXX_STANDARD 17)",
    ),
    Edit(
        file="horovod/torch/handle_manager.h",
        old="  void Reset();\n",
        new="  void Reset();\n  int64_t LastFinishedNs();\n",
    ),
    Edit(
        file="horovod/torch/handle_manager.h",
        old=_FIELDS,
        new=_FIELDS + "  std::unordered_map<int, int64_t> finished_ns_;\n  int64_t last_finished_ns_ = 0;\n",
    ),
    Edit(
        file="horovod/torch/handle_manager.cc",
        old='#include "handle_manager.h"\n',
        new='#include "handle_manager.h"\n\n#include <chrono>\n',
    ),
    Edit(file="horovod/torch/handle_manager.cc", old=_MARK, new=_NOTED_MARK),
    Edit(file="horovod/torch/handle_manager.cc", old=_RELEASE, new=_NOTED_RELEASE),
    Edit(
        file="horovod/torch/handle_manager.cc",
        old="  results_.clear();\n",
        new="  results_.clear();\n  finished_ns_.clear();\n",
    ),
    Edit(file="horovod/torch/mpi_ops_v2.cc", old=_RESET, new=_NOTED_RESET),
)


def edits_digest() -> str:
    """SHA-256 of all edits, as hexadecimal digits."""
    return hashlib.sha256(repr([asdict(edit) for edit in EDITS]).encode()).hexdigest()


def apply_edits(source: Path) -> None:
    """Change the unpacked sources in ``source``.

    Raises:
        DamagedData: when a text to replace is not there exactly once; the sources are then others.
    """
    for edit in EDITS:
        path = source / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise DamagedData(
                f"{path} holds {text.count(edit.old)} times, not once: {edit.old.strip()!r}.",
                "these are not the sources that the edits were written for; fetch them again.",
            )
        path.write_text(text.replace(edit.old, edit.new))
