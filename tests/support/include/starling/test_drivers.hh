// The drivers that a case runs on: each rung of io_uring's ladder, and epoll.
//
//     class Ex7_4_Streams : public testing::TestWithParam<TestDriver> {};
//     INSTANTIATE_TEST_SUITE_P(On, Ex7_4_Streams, all_drivers(), driver_label);
//     TEST_P(Ex7_4_Streams, …) {
//         IoShard shard(GetParam());
//         if (shard.missing()) return;        // says so, loudly
//         shard.run([&]() -> Task<> { … });
//     }
//
// Affinity: one thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <starling/driver.hh>
#include <starling/executor.hh>
#include <starling/todo.hh>
#include <string>
#include <system_error>

namespace starling::testing_support {

struct TestDriver {
    const char* label;
    DriverKind kind;
    RingRung rung = RingRung::first;

    friend void PrintTo(const TestDriver& driver, std::ostream* out) { *out << driver.label; }
};

inline auto all_drivers() {
    return testing::Values(TestDriver{"deferred", DriverKind::io_uring, RingRung::deferred},
                           TestDriver{"cooperative", DriverKind::io_uring, RingRung::cooperative},
                           TestDriver{"plain", DriverKind::io_uring, RingRung::plain},
                           TestDriver{"epoll", DriverKind::epoll});
}

inline std::string driver_label(const testing::TestParamInfo<TestDriver>& info) {
    return info.param.label;
}

/// The driver, or null and a loud line where io_uring is not allowed.
inline std::unique_ptr<Driver> make_test_driver(const TestDriver& which, DriverOptions options = {}) {
    options.kind = which.kind;
    options.rung = which.rung;
    try {
        return make_driver(options);
    } catch (const std::system_error& error) {
        std::fprintf(stderr, "NOT RUN on %s: %s\n", which.label, error.what());
        return nullptr;
    }
}

/// Whether a stub ran: then what the case waits for will not come, and it should end.
inline bool met_a_stub() { return !detail::TodoRecords::instance().empty(); }

/// An executor on a driver. It turns without ever sleeping, so that nothing but the driver's `poll` is
/// needed; and it gives up instead of hanging.
class IoShard {
  public:
    explicit IoShard(const TestDriver& which, DriverOptions options = {})
        : driver_(make_test_driver(which, options)) {
        if (driver_ == nullptr) return;
        executor_ = std::make_unique<Executor>(ExecutorOptions{.parker = driver_.get()});
        executor_->add_source(*driver_);
        provide_service(executor_->env(), driver_.get());
    }

    bool missing() const noexcept { return driver_ == nullptr; }
    Driver& driver() noexcept { return *driver_; }
    Executor& executor() noexcept { return *executor_; }

    /// Turns until `done()`. \return false if it gave up
    bool turn_until(const std::function<bool()>& done) {
        constexpr int kTurnsMax = 5'000'000;  // Some seconds.
        for (int i = 0; i < kTurnsMax; ++i) {
            if (done()) return true;
            if (i % 1024 == 1023 && met_a_stub()) break;
            executor_->run_once();
        }
        return done();
    }

    /// Runs a task to its end. What it throws fails the case.
    template <class F>
    void run(F&& body) {
        auto handle = executor_->spawn(std::forward<F>(body), {.name = "the test's task"});
        if (!turn_until([&] { return handle.done(); })) {
            ADD_FAILURE() << "still waiting: " << executor_->live_task_names();
            std::fflush(stdout);
            std::abort();  // What it waits for will not come: there is no way to end it properly.
        }
        Executor::Enter scope(*executor_);
        handle.finish();
    }

  private:
    std::unique_ptr<Driver> driver_;
    std::unique_ptr<Executor> executor_;
};

}  // namespace starling::testing_support
