// Watchdog: a case that waits for what does not come ends, with a sentence, long before ctest ends it.
//
//     [[maybe_unused]] const bool watched = testing_support::watch_every_case();   // in one test file
//
// What happens when time is up is in todo_guard.cc. A case that takes longer says now and then, with
// `still_going`, that it gets on.
//
// Affinity: any thread.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <starling/todo.hh>

extern "C" [[gnu::weak]] void __tsan_init();  // Only ThreadSanitizer has it; there all takes longer.

namespace starling::testing_support {

/// From now on, this long.
inline void still_going() {
    const unsigned seconds = __tsan_init != nullptr ? 40 : 10;
    // Who met a stub has less time, and keeps it.
    if (detail::TodoRecords::instance().empty()) ::alarm(seconds);
}

/// Every case of this executable has a watchdog. \return true
inline bool watch_every_case() {
    struct Watchdog final : testing::EmptyTestEventListener {
        void OnTestStart(const testing::TestInfo&) override { still_going(); }
        void OnTestEnd(const testing::TestInfo&) override { ::alarm(0); }
    };
    testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
    return true;
}

}  // namespace starling::testing_support
