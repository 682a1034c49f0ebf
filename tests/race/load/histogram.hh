// Latencies in logarithmic buckets, like HdrHistogram: 64 buckets for each power of two, so every
// value is known to within 1.6 %, in constant memory and two nanoseconds a record.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace starling_load {

class Histogram {
  public:
    void record(std::uint64_t value, std::uint64_t times = 1) {
        buckets_[index_of(value)] += times;
        count_ += times;
        sum_ += value * times;
        if (value > max_) max_ = value;
    }

    // The value that `share` of all records do not exceed; 0 without records.
    std::uint64_t quantile(double share) const {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            seen += buckets_[i];
            if (seen > wanted) return middle_of(i) < max_ ? middle_of(i) : max_;
        }
        return max_;
    }

    std::uint64_t count() const { return count_; }
    std::uint64_t max() const { return max_; }
    double mean() const {
        return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }
    void clear() { *this = Histogram(); }

  private:
    static constexpr unsigned kSubBits = 6;
    static constexpr std::uint64_t kSubBuckets = std::uint64_t{1} << kSubBits;

    // Values below kSubBuckets have a bucket each; above, the top kSubBits + 1 bits choose one.
    static std::size_t index_of(std::uint64_t value) {
        if (value < kSubBuckets) return value;
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
        return (std::size_t{shift} + 1) * kSubBuckets + ((value >> shift) - kSubBuckets);
    }

    static std::uint64_t middle_of(std::size_t index) {
        if (index < kSubBuckets) return index;
        const std::size_t shift = index / kSubBuckets - 1;
        const std::uint64_t low = (kSubBuckets + index % kSubBuckets) << shift;
        return low + ((std::uint64_t{1} << shift) >> 1);
    }

    std::array<std::uint64_t, (64 - kSubBits + 1) * kSubBuckets> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace starling_load
