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
// A test that ends in an exception, an assertion, a crash or a hang prints how far it came, and its
// question.
//
// Affinity: one thread.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <exception>
#include <source_location>
#include <starling/last_words.hh>
#include <starling/todo.hh>
#include <string>
#include <string_view>
#include <utility>

namespace starling::testing_support {

class Story {
  public:
    /// \param question what to ask oneself when it goes wrong; never the answer
    // Not inlined: GCC would warn of `current_`, which outlives this, and does not see it put back.
    [[gnu::noinline]] explicit Story(std::string question)
        : question_(std::move(question)), before_(std::exchange(current_, this)) {
        last_words = &say;
    }
    ~Story() {
        const bool thrown = std::uncaught_exceptions() > exceptions_;
        if (thrown && current_ == this && starling::detail::TodoRecords::instance().empty()) say();
        if (current_ == this) current_ = before_;
        if (current_ == nullptr) last_words = nullptr;
    }
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;

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
            << "\n"
            << text_ << "    expected: " << testing::PrintToString(expected)
            << "\n    got:      " << testing::PrintToString(got)
            << "\n  Ask yourself: " << question_;
        return false;
    }

  private:
    static void say() noexcept {
        if (!current_->text_.empty()) write("The test came as far as this:\n");
        write(current_->text_);
        write("  Ask yourself: ");
        write(current_->question_);
        write("\n");
    }
    static void write(std::string_view text) noexcept {
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    }

    static inline Story* current_ = nullptr;  // Borrows: it runs.
    std::string question_;
    std::string text_;
    int steps_ = 0;
    const int exceptions_ = std::uncaught_exceptions();
    Story* before_;  // Borrows: it outlives this.
};

}  // namespace starling::testing_support
