// todo: the stubs of exercises that are not written yet.
//
//     todo("5.2", "TimerWheel::cascade");         throws NotImplemented
//     return todo_soft("2.3", "await_ready", x);  where throwing is impossible: records, goes on
//     if (todo_blank("5.2")) { todo(...); } ...   the ladder: one build, run with 1..k solved
//
// Both record the exercise first. The record is what fails a test case, so an exception that some
// layer catches on its way up, or a soft stub's harmless value, still ends as the same sentence.
//
// A program may install a hook that hears of each record (tests/support/todo_guard.cc does).
//
// Affinity: any thread.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace starling {

/// "N.K" as numbers, so that 5.10 comes after 5.9.
struct ExerciseId {
    int step = 0;
    int number = 0;

    static ExerciseId parse(std::string_view text) noexcept {
        ExerciseId id;
        int* part = &id.step;
        for (char c : text) {
            if (c == '.') {
                part = &id.number;
            } else if (c >= '0' && c <= '9') {
                *part = *part * 10 + (c - '0');
            }
        }
        return id;
    }
    friend auto operator<=>(const ExerciseId&, const ExerciseId&) = default;
};

namespace detail {

inline std::string_view step_directory(int step) noexcept {
    constexpr std::string_view kNames[] = {
        "01_future_promise", "02_task",      "03_waker",      "04_executor",      "05_timers",
        "06_channels",       "07_io_driver", "08_networking", "09_smp_messaging", "10_http_echo"};
    return step >= 1 && step <= 10 ? kNames[step - 1] : "NN";
}

inline std::string todo_sentence(std::string_view exercise, std::string_view function) {
    std::string text = "NotImplemented: exercise ";
    text.append(exercise).append(", ").append(function);
    text.append(": not written yet; see \"").append(exercise).append("\" in steps/");
    text.append(step_directory(ExerciseId::parse(exercise).step)).append("/README.md");
    return text;
}

struct TodoRecord {
    ExerciseId id;
    std::string sentence;
};

/// What ran into a stub, each exercise and function once. \affinity any thread
class TodoRecords {
  public:
    using Hook = void (*)(const char* sentence) noexcept;

    static TodoRecords& instance() {
        static TodoRecords* records = new TodoRecords;  // Never freed: threads may outlive main.
        return *records;
    }

    /// Hears of every new record, with the sentence of the lowest exercise so far.
    void set_hook(Hook hook) {
        std::lock_guard lock(mutex_);
        hook_ = hook;
    }

    void add(std::string_view exercise, std::string_view function) {
        std::lock_guard lock(mutex_);
        std::string sentence = todo_sentence(exercise, function);
        for (const TodoRecord& r : records_) {
            if (r.sentence == sentence) return;
        }
        TodoRecord record{ExerciseId::parse(exercise), std::move(sentence)};
        const auto later = std::find_if(records_.begin(), records_.end(),
                                        [&](const TodoRecord& r) { return r.id > record.id; });
        records_.insert(later, std::move(record));
        if (hook_ != nullptr) hook_(records_.front().sentence.c_str());
    }

    bool empty() const {
        std::lock_guard lock(mutex_);
        return records_.empty();
    }

    /// Takes all, the lowest exercise first: it is the one to do next.
    std::vector<std::string> take() {
        std::lock_guard lock(mutex_);
        std::vector<std::string> sentences;
        for (TodoRecord& r : records_) sentences.push_back(std::move(r.sentence));
        records_.clear();
        return sentences;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<TodoRecord> records_;  // The lowest exercise first.
    Hook hook_ = nullptr;
};

}  // namespace detail

/// What a blank exercise throws.
class NotImplemented : public std::exception {
  public:
    explicit NotImplemented(std::string sentence) : sentence_(std::move(sentence)) {}
    const char* what() const noexcept override { return sentence_.c_str(); }

  private:
    std::string sentence_;
};

/// The stub of an exercise. \throws NotImplemented, always
[[noreturn]] inline void todo(std::string_view exercise, std::string_view function) {
    detail::TodoRecords::instance().add(exercise, function);
    throw NotImplemented(detail::todo_sentence(exercise, function));
}

/// The stub where throwing is impossible. Records the exercise; the caller returns at once.
inline void todo_soft(std::string_view exercise, std::string_view function) noexcept {
    detail::TodoRecords::instance().add(exercise, function);
}

/// The same, where a value must be returned: hands `harmless` through.
template <class T>
T todo_soft(std::string_view exercise, std::string_view function, T harmless) noexcept {
    detail::TodoRecords::instance().add(exercise, function);
    return harmless;
}

/// The ladder: whether this exercise is still blank in this run. STARLING_SOLVED names the last
/// solved exercise ("5.2"), or is "none"; when it is absent everything is solved.
inline bool todo_blank(std::string_view exercise) noexcept {
    static const ExerciseId solved = [] {
        const char* text = std::getenv("STARLING_SOLVED");
        if (text == nullptr) return ExerciseId{1 << 20, 0};
        return ExerciseId::parse(text);  // "none" has no digits: 0.0
    }();
    return ExerciseId::parse(exercise) > solved;
}

}  // namespace starling
