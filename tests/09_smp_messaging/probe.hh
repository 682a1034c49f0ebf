// A message that notes what happens to it, and nothing else.
#pragma once

#include <deque>
#include <starling/virtual_shards.hh>
#include <string>
#include <vector>

namespace starling {

using Log = std::vector<std::string>;

class Probe final : public Message {
  public:
    Probe(Log& log, std::string name) : log_(log), name_(std::move(name)) {}

    bool ran = false;
    bool home = false;

  private:
    void resume() noexcept override {
        ran = true;
        log_.push_back(name_ + " runs on " + std::to_string(this_shard()));
        mailbox("Probe").reply(*this);
    }
    bool returned() noexcept override {
        home = true;
        log_.push_back(name_ + " is home");
        return true;
    }
    Log& log_;
    std::string name_;
};

/// Several of them, named by number.
class Probes {
  public:
    explicit Probes(int count, std::string prefix = "") {
        for (int i = 0; i < count; ++i) all.emplace_back(log, prefix + std::to_string(i));
    }
    int ran() const {
        int count = 0;
        for (const Probe& p : all) count += p.ran;
        return count;
    }
    int home() const {
        int count = 0;
        for (const Probe& p : all) count += p.home;
        return count;
    }
    /// The log entries that end in `what`, without it.
    Log who(const std::string& what) const {
        Log names;
        for (const std::string& entry : log) {
            if (entry.ends_with(what)) names.push_back(entry.substr(0, entry.size() - what.size()));
        }
        return names;
    }

    Log log;
    std::deque<Probe> all;
};

}  // namespace starling
