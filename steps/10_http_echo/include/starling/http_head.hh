// RequestHead: the request line and the header fields of one HTTP/1.1 request, as views.
//
//     GET /echo?x=1 HTTP/1.1␍␊Host: a␍␊Content-Length: 3␍␊␍␊
//     ├─┘ ├───────┘            ├──┘  ┘ ├────────────┘  ┘         spans: {offset, size} from the start
//
// Nothing is copied: a head is a table of offsets into the bytes that the caller holds. Offsets rather
// than pointers, because a head that arrives in pieces may move to a larger buffer in between.
//
// The five fields on which a server acts are recognised while they are added, so that asking for
// them later costs no search.
//
// Affinity: owner shard. Source: RFC 9110 section 5, RFC 9112 sections 3 and 5.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <starling/http_chars.hh>
#include <string_view>

namespace starling {

/// The fields the server itself acts on.
enum class FieldId : std::uint8_t {
    host,
    connection,
    content_length,
    transfer_encoding,
    expect,
    other
};

/// \affinity owner shard
class RequestHead {
  public:
    static constexpr std::size_t kFieldsMax = 64;
    static constexpr std::size_t kBytesMax = 0xffff;  // An offset is 16 bits.

    struct Field {
        std::string_view name;
        std::string_view value;
    };

    std::string_view method() const noexcept { return view(method_); }
    /// As it was sent: "/echo?x=1", "http://host/echo", "*".
    std::string_view target() const noexcept { return view(target_); }
    /// The target without scheme, authority and query: "/echo".
    std::string_view path() const noexcept;
    /// What follows '?', or nothing.
    std::string_view query() const noexcept;
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    int minor_version() const noexcept { return minor_version_; }

    std::size_t field_count() const noexcept { return field_count_; }
    /// \pre i < field_count()
    Field field(std::size_t i) const noexcept {
        return {view(fields_[i].name), view(fields_[i].value)};
    }
    /// The first value of the field `name` in any case. O(fields).
    std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// How often a field of this kind was sent. O(1).
    int count(FieldId id) const noexcept { return known_[index(id)].count; }
    /// The value of the first field of this kind. \pre count(id) > 0. O(1).
    std::string_view value(FieldId id) const noexcept {
        return view(fields_[known_[index(id)].first].value);
    }
    /// Whether the comma-separated list in all fields of this kind has `token`, in any case.
    bool has_token(FieldId id, std::string_view token) const noexcept;

    // For parsers. Views lie in the bytes of the last `set_base`.

    /// Forgets everything.
    void reset() noexcept;
    /// Says where the head's first byte is now. What was set before moves with it.
    void set_base(const char* base) noexcept { base_ = base; }
    void set_request_line(std::string_view method, std::string_view target,
                          int minor_version) noexcept;
    /// \return false if there is no room for one more
    bool add_field(std::string_view name, std::string_view value) noexcept;

  private:
    struct Span {
        std::uint16_t begin = 0;
        std::uint16_t size = 0;
    };
    struct FieldSpans {
        Span name;
        Span value;
    };
    struct Known {
        std::uint8_t first = 0;
        std::uint8_t count = 0;
    };
    static std::size_t index(FieldId id) noexcept { return static_cast<std::size_t>(id); }
    std::string_view view(Span s) const noexcept { return {base_ + s.begin, s.size}; }
    Span span(std::string_view v) const noexcept {
        return {static_cast<std::uint16_t>(v.data() - base_), static_cast<std::uint16_t>(v.size())};
    }

    const char* base_ = nullptr;  // Borrows: the caller's buffer.
    Span method_;
    Span target_;
    std::uint8_t minor_version_ = 1;
    std::uint8_t field_count_ = 0;
    std::array<Known, 6> known_{};  // By FieldId.
    std::array<FieldSpans, kFieldsMax> fields_;
};

}  // namespace starling
