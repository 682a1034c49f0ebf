// VirtualShards: several shards on one thread, taking turns when the test says so. Every interleaving
// is the same in every run, and a message that never arrives is a failed expectation, not a hang.
//
//     VirtualShards shards(2);
//     auto sum = shards.spawn(0, task);      // starts on shard 0
//     shards.turn(0);                        // one turn of one shard
//     ASSERT_TRUE(shards.run_until([&] { return sum.done(); }));
//
// Affinity: owner shard (the test's thread is every shard).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <starling/mailbox.hh>

namespace starling {

/// \affinity owner shard
class VirtualShards {
  public:
    explicit VirtualShards(unsigned count, std::size_t credits = Smp::kDefaultCredits)
        : smp_(count, credits) {
        for (unsigned i = 0; i < count; ++i) shards_.emplace_back(smp_, i);
    }
    /// Ends what can end, as a shutdown does: stops every task, and serves until nobody has work. If a
    /// task does not end, the case does: what others hold of its frame cannot be taken back.
    ~VirtualShards() {
        for (Shard& shard : shards_) shard.executor.stop_all();
        run_until([this] {
            for (Shard& shard : shards_) {
                if (shard.executor.live_tasks() > 0 || shard.mailbox.outstanding() > 0) return false;
            }
            return true;
        });
        for (Shard& shard : shards_) {
            if (shard.executor.live_tasks() == 0) continue;
            std::fprintf(stderr, "nothing can happen any more on shard %u; still waiting: %s\n",
                         shard.mailbox.shard(), shard.executor.live_task_names().c_str());
            std::fflush(stdout);
            std::abort();
        }
    }

    Smp& smp() noexcept { return smp_; }
    Executor& executor(unsigned shard) noexcept { return shards_[shard].executor; }
    Mailbox& mailbox(unsigned shard) noexcept { return shards_[shard].mailbox; }

    template <class A>
    auto spawn(unsigned shard, A&& task, SpawnOptions options = {}) {
        return executor(shard).spawn(std::forward<A>(task), options);
    }

    /// A batch and a poll of one shard. \return whether it had anything to do
    bool turn(unsigned shard) {
        Executor& e = executor(shard);
        const auto resumed = e.stats().resumed;
        const bool more = e.run_once();
        return more || e.stats().resumed != resumed;
    }

    /// Gives every shard a turn, again and again, until `done()`. \return false if it gave up: after
    /// a while in which nobody had anything to do, or after `rounds_max`
    template <class F>
    bool run_until(F done, int rounds_max = 100'000) {
        constexpr int kQuietRoundsMax = 8;
        for (int quiet = 0, round = 0; quiet < kQuietRoundsMax && round < rounds_max; ++round) {
            if (done()) return true;
            bool busy = false;
            for (unsigned i = 0; i < shards_.size(); ++i) busy |= turn(i);
            quiet = busy ? 0 : quiet + 1;
        }
        return done();
    }
    /// The same, until nobody has had anything to do for a while.
    void run() {
        run_until([] { return false; });
    }

  private:
    struct Shard {
        Shard(Smp& smp, unsigned id) : mailbox(smp, id, executor) {}
        Executor executor;
        Mailbox mailbox;
    };
    Smp smp_;
    std::deque<Shard> shards_;
};

}  // namespace starling
