// What one connection sends, what must come back, and where in it the connection is.
//
// One blocking exchange before the load learns how long an answer is, header included; a server's
// answers to one request all have the same length (a Date field changes, its length does not).
// Under load an answer is checked where it starts, and the next one must start exactly where it
// ended: a wrong length shows as a wrong start.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "options.hh"

namespace starling_load {

/// A connected socket with TCP_NODELAY; ends the program when that fails.
int connect_to(const Options& options);

class Exchange {
  public:
    /// Talks to the server once, blocking. Ends the program if the answer is not 200.
    explicit Exchange(const Options& options);

    /// `pipeline` requests in a row.
    std::string_view batch() const { return batch_; }
    std::size_t answer_size() const { return answer_size_; }

    /// Consumes received bytes. `position` is the connection's place within the current answer.
    /// Returns how many answers were completed, or kWrong.
    std::size_t consume(const char* data, std::size_t size, std::size_t& position) const {
        std::size_t completed = 0;
        while (size > 0) {
            const std::size_t rest = answer_size_ - position;
            const std::size_t part = size < rest ? size : rest;
            if (position < checked_.size() && !matches(data, part, position)) return kWrong;
            position += part;
            data += part;
            size -= part;
            if (position == answer_size_) {
                position = 0;
                ++completed;
            }
        }
        return completed;
    }

    static constexpr std::size_t kWrong = ~std::size_t{0};

  private:
    bool matches(const char* data, std::size_t size, std::size_t position) const {
        const std::size_t left = checked_.size() - position;
        return std::string_view(data, size < left ? size : left) ==
               std::string_view(checked_).substr(position, size < left ? size : left);
    }

    void learn_answer(const Options& options, const std::string& request);

    std::string batch_;
    std::string checked_;  // What every answer starts with.
    std::size_t answer_size_ = 0;
};

}  // namespace starling_load
