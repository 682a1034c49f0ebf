#include <starling/http_head.hh>

namespace starling {
namespace {

// By length first: no two of them have the same, so one comparison decides.
FieldId field_id(std::string_view name) noexcept {
    auto known = [&](std::string_view known_name, FieldId id) {
        return http::same(name, known_name) ? id : FieldId::other;
    };
    switch (name.size()) {
        case 4: return known("host", FieldId::host);
        case 6: return known("expect", FieldId::expect);
        case 10: return known("connection", FieldId::connection);
        case 14: return known("content-length", FieldId::content_length);
        case 17: return known("transfer-encoding", FieldId::transfer_encoding);
        default: return FieldId::other;
    }
}

}  // namespace

void RequestHead::reset() noexcept {
    base_ = nullptr;
    method_ = target_ = Span{};
    minor_version_ = 1;
    field_count_ = 0;
    known_ = {};
}

void RequestHead::set_request_line(std::string_view method, std::string_view target,
                                   int minor_version) noexcept {
    method_ = span(method);
    target_ = span(target);
    minor_version_ = static_cast<std::uint8_t>(minor_version);
}

bool RequestHead::add_field(std::string_view name, std::string_view value) noexcept {
    if (field_count_ == kFieldsMax) return false;
    Known& known = known_[index(field_id(name))];
    if (known.count++ == 0) known.first = field_count_;
    fields_[field_count_++] = {span(name), span(value)};
    return true;
}

std::string_view RequestHead::path() const noexcept {
    std::string_view path = target();
    if (!path.starts_with('/')) {
        const std::size_t scheme = path.find("://");
        if (scheme == std::string_view::npos) return path;
        const std::size_t slash = path.find_first_of("/?", scheme + 3);
        if (slash == std::string_view::npos || path[slash] == '?') return "/";
        path.remove_prefix(slash);
    }
    return path.substr(0, path.find('?'));
}

std::string_view RequestHead::query() const noexcept {
    const std::string_view text = target();
    const std::size_t mark = text.find('?');
    return mark == std::string_view::npos ? std::string_view{} : text.substr(mark + 1);
}

std::optional<std::string_view> RequestHead::find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < field_count_; ++i) {
        const Field f = field(i);
        if (http::same(f.name, name)) return f.value;
    }
    return std::nullopt;
}

bool RequestHead::has_token(FieldId id, std::string_view token) const noexcept {
    int left = count(id);
    for (std::size_t i = known_[index(id)].first; left > 0; ++i) {
        const Field f = field(i);
        if (field_id(f.name) != id) continue;
        --left;
        for (std::string_view rest = f.value; !rest.empty();) {
            const std::size_t comma = rest.find(',');
            if (http::same(http::trim(rest.substr(0, comma)), token)) return true;
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        }
    }
    return false;
}

}  // namespace starling
