// ByteBuffer: bytes that are appended at the back and consumed from the front.
//
// Grows by doubling and keeps its memory, so that in steady state nothing is allocated. Unlike
// std::string it does not fill what it is about to overwrite, and its append is inlined: a response is
// half a dozen of them.
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace starling {

/// \affinity owner shard
class ByteBuffer {
  public:
    ByteBuffer() = default;
    ByteBuffer(ByteBuffer&& other) noexcept
        : data_(std::move(other.data_)),
          capacity_(std::exchange(other.capacity_, 0)),
          begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0)) {}
    ByteBuffer& operator=(ByteBuffer other) noexcept {
        std::swap(data_, other.data_);
        std::swap(capacity_, other.capacity_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
        return *this;
    }

    bool empty() const noexcept { return begin_ == end_; }
    std::size_t size() const noexcept { return end_ - begin_; }
    std::size_t capacity() const noexcept { return capacity_; }
    /// The content. Valid until the next append.
    std::string_view view() const noexcept { return {data_.get() + begin_, size()}; }

    /// Room for `bytes` behind the content; `commit` says how many were written. O(size) when it grows.
    char* prepare(std::size_t bytes) {
        if (capacity_ - end_ < bytes) [[unlikely]] make_room(bytes);
        return data_.get() + end_;
    }
    void commit(std::size_t bytes) noexcept {
        assert(bytes <= capacity_ - end_);
        end_ += bytes;
    }
    void append(std::string_view text) {
        if (text.empty()) return;
        std::memcpy(prepare(text.size()), text.data(), text.size());
        commit(text.size());
    }
    /// Drops the first bytes. \pre bytes <= size()
    void consume(std::size_t bytes) noexcept {
        assert(bytes <= size());
        begin_ += bytes;
        if (begin_ == end_) clear();
    }
    void clear() noexcept { begin_ = end_ = 0; }
    /// Clears, and gives back what is more than `bytes_max`.
    void trim(std::size_t bytes_max) noexcept {
        clear();
        if (capacity_ <= bytes_max) return;
        data_.reset();
        capacity_ = 0;
    }

  private:
    void make_room(std::size_t bytes) {
        const std::size_t needed = size() + bytes;
        if (needed > capacity_) {
            const std::size_t capacity = std::max({needed, 2 * capacity_, std::size_t{512}});
            auto larger = std::make_unique_for_overwrite<char[]>(capacity);
            if (!empty()) std::memcpy(larger.get(), data_.get() + begin_, size());
            data_ = std::move(larger);
            capacity_ = capacity;
        } else {
            std::memmove(data_.get(), data_.get() + begin_, size());
        }
        end_ -= begin_;
        begin_ = 0;
    }

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace starling
