// Last words: what the test that runs now says if it ends in a crash, an assertion or a hang.
//
// A Story sets them (story.hh); todo_guard.cc has them said.
//
// Affinity: one thread, the test's.
#pragma once

namespace starling::testing_support {

/// Null: nothing to say. Called from a signal handler: it writes, and does nothing else.
inline constinit void (*last_words)() noexcept = nullptr;

}  // namespace starling::testing_support
