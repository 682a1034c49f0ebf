// Story: a test that tells what it does, so that its failure teaches.
//
//     Story story("who tells the promise where its future lives now?");
//     story.step("the future moves");
//     story.expect("the future is ready", true, future.ready());
//
// prints, only when something differs:
//
//     1 the future moves
//     2 the future is ready
//       expected: true
//       got:      false
//     Ask yourself: who tells the promise where its future lives now?
//
// Affinity: one thread.
#pragma once

#include <gtest/gtest.h>
#include <source_location>
#include <string>
#include <utility>

namespace starling::testing_support {

class Story {
  public:
    /// \param question what to ask oneself when it goes wrong; never the answer
    explicit Story(std::string question) : question_(std::move(question)) {}

    /// Something was done.
    Story& step(const std::string& what) {
        text_ += "  " + std::to_string(++steps_) + " " + what + "\n";
        return *this;
    }

    /// Something is looked at. \return whether it is as expected
    template <class Expected, class Got>
    bool expect(const std::string& what, const Expected& expected, const Got& got,
                std::source_location where = std::source_location::current()) {
        step(what);
        if (expected == got) return true;
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
            << "\n" << text_ << "    expected: " << testing::PrintToString(expected)
            << "\n    got:      " << testing::PrintToString(got)
            << "\n  Ask yourself: " << question_;
        return false;
    }

  private:
    std::string question_;
    std::string text_;
    int steps_ = 0;
};

}  // namespace starling::testing_support
