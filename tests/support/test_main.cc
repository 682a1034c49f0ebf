// The main of every test executable. A case that ran into a stub fails with that stub's sentence,
// even if an exception was caught on the way or the stub could only record (see todo.hh).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <starling/todo.hh>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

bool met_a_stub = false;

/// gtest's printer, except that a stub's failure is printed as its sentence and nothing else.
class Printer : public testing::EmptyTestEventListener {
  public:
    explicit Printer(testing::TestEventListener* inner) : inner_(inner) {}

  private:
    void OnTestStart(const testing::TestInfo& info) override {
        starling::detail::TodoRecords::instance().take();
        wrong_before_ = false;
        inner_->OnTestStart(info);
    }
    void OnTestPartResult(const testing::TestPartResult& result) override {
        // Thrown in the test's body, or met in a death test's child.
        const std::string_view message = result.message();
        const auto begin = message.find("NotImplemented: exercise ");
        if (begin == message.npos) {
            // What is wrong after a stub is wrong because of it: the stub's sentence says enough.
            const bool stubbed = !starling::detail::TodoRecords::instance().empty();
            if (!stubbed || result.skipped()) inner_->OnTestPartResult(result);
            wrong_before_ |= !stubbed && result.failed();
            return;
        }
        const auto end = message.find("README.md", begin);
        if (end != message.npos) heard_.emplace_back(message.substr(begin, end + 9 - begin));
    }
    void OnTestEnd(const testing::TestInfo& info) override {
        auto met = starling::detail::TodoRecords::instance().take();  // The lowest exercise first.
        for (std::string& sentence : std::exchange(heard_, {})) {
            if (std::find(met.begin(), met.end(), sentence) == met.end()) {
                met.push_back(std::move(sentence));
            }
        }
        std::string sentences;
        for (const std::string& sentence : met) sentences += sentence + "\n";
        if (!sentences.empty()) {
            met_a_stub = true;
            // What went wrong first is written, and may be why the case came to a stub at all.
            if (!wrong_before_) std::fputs(sentences.c_str(), stdout);
            ADD_FAILURE() << sentences;
        }
        inner_->OnTestEnd(info);
    }
    void OnTestIterationEnd(const testing::UnitTest& tests, int iteration) override {
        if (tests.test_to_run_count() != 1) inner_->OnTestIterationEnd(tests, iteration);
    }

    std::unique_ptr<testing::TestEventListener> inner_;
    bool wrong_before_ = false;       // A failure before any stub.
    std::vector<std::string> heard_;  // Quoted in failures: a death test's child has own records.
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    auto& tests = *testing::UnitTest::GetInstance();
    auto& listeners = tests.listeners();
    listeners.Append(new Printer(listeners.Release(listeners.default_result_printer())));
    int status = RUN_ALL_TESTS();
    if (tests.test_to_run_count() == 0 && !testing::GTEST_FLAG(list_tests)) {
        std::fprintf(stderr, "no test is called %s\n", testing::GTEST_FLAG(filter).c_str());
        status = 1;
    }
    if (met_a_stub) {  // What a thrown stub leaves half built is no leak to report.
        std::fflush(nullptr);
        ::_exit(1);
    }
    return status;
}
