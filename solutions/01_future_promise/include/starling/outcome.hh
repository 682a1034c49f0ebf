// Outcome<T>: what became of a computation: nothing yet, a value, an exception, or a stop.
//
//     empty ──set_value──► value ──take──► empty
//       ├────set_error──► error ──take──► empty, throws it
//       └────set_stopped► stopped ─take─► empty, throws Cancelled
//
// `stopped` is a state of its own so that combinators learn of a cancellation by looking, not by
// catching: throwing costs about a microsecond, looking less than a nanosecond.
//
// A tagged union rather than std::variant: taking a value is one branch and one move, inlined.
//
// Affinity: owner shard.
#pragma once

#include <cxxabi.h>
#include <cassert>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace starling {

/// Thrown out of an await whose task was asked to stop. Deliberately not a std::exception: code
/// that handles errors does not handle this by accident. Catch it only to clean up, and rethrow.
struct Cancelled {};

/// The value of a `void` computation where one has to be stored.
struct Unit {
    friend bool operator==(Unit, Unit) = default;  ///< All are equal.
};

/// How something ended: a value, an error or a stop. Empty until it has.
/// \tparam T an object type, which may be move-only, an lvalue reference, or void
/// \affinity owner shard
template <class T>
class Outcome {
    // A reference is stored as a pointer, void as a Unit.
    using Object = std::conditional_t<std::is_void_v<T>, Unit, T>;
    using Stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<Object>, Object>;
    enum class State : std::uint8_t { empty, value, error, stopped };

  public:
    /// Empty.
    Outcome() noexcept {}
    /// Takes what `other` holds, which is empty afterwards. If T's move throws, nothing has moved.
    Outcome(Outcome&& other) noexcept(std::is_nothrow_move_constructible_v<Stored>) {
        adopt(other);
    }
    /// The same, after this was emptied.
    Outcome& operator=(Outcome&& other) noexcept(std::is_nothrow_move_constructible_v<Stored>) {
        if (this != &other) {
            reset();
            adopt(other);
        }
        return *this;
    }
    ~Outcome() { reset(); }

    /// Stores a value; for a reference, the referenced object's address. \pre empty
    /// \throws what T's constructor throws: this is empty then
    template <class... Args>
    void set_value(Args&&... args) {
        assert(state_ == State::empty);
        if constexpr (std::is_reference_v<T>) {
            static_assert((std::is_lvalue_reference_v<Args> && ...), "this would dangle");
            std::construct_at(&value_, std::addressof(args)...);
        } else {
            std::construct_at(&value_, std::forward<Args>(args)...);
        }
        state_ = State::value;
    }
    /// \pre empty, and `error` is not null
    void set_error(std::exception_ptr error) noexcept {
        assert(state_ == State::empty && error);
        std::construct_at(&error_, std::move(error));
        state_ = State::error;
    }
    /// \pre empty
    void set_stopped() noexcept {
        assert(state_ == State::empty);
        state_ = State::stopped;
    }
    /// Stores the exception being handled; a Cancelled becomes `stopped`. \pre empty, in a catch
    /// block
    void set_current_exception() noexcept {
        // Asks for the type instead of rethrowing: that would cost a second throw per level.
        const std::type_info* type = abi::__cxa_current_exception_type();
        if (type != nullptr && *type == typeid(Cancelled)) {
            set_stopped();
        } else {
            set_error(std::current_exception());
        }
    }
    /// Stores what `f()` returns or throws; a Cancelled becomes `stopped`. \pre empty
    template <class F>
    void set_result_of(F&& f) noexcept {
        try {
            if constexpr (std::is_void_v<T>) {
                f();
                set_value();
            } else {
                set_value(f());
            }
        } catch (...) {
            set_current_exception();
        }
    }

    /// Nothing yet, or nothing any more.
    bool empty() const noexcept { return state_ == State::empty; }
    /// A value.
    bool has_value() const noexcept { return state_ == State::value; }
    /// An exception.
    bool has_error() const noexcept { return state_ == State::error; }
    /// A stop.
    bool stopped() const noexcept { return state_ == State::stopped; }

    /// The exception. \pre has_error()
    const std::exception_ptr& error() const noexcept {
        assert(has_error());
        return error_;
    }

    /// Empties this: returns the value, throws the exception, or throws Cancelled. \pre not empty
    T take() {
        if (state_ != State::value) throw_failure();
        struct Resetter {
            Outcome& outcome;
            ~Resetter() { outcome.reset(); }
        } resetter{*this};
        if constexpr (std::is_reference_v<T>) {
            return *value_;
        } else if constexpr (!std::is_void_v<T>) {
            return std::move(value_);
        }
    }

    /// Back to empty; a value or an exception is destroyed.
    void reset() noexcept {
        if (state_ == State::value) {
            std::destroy_at(&value_);
        } else if (state_ == State::error) {
            std::destroy_at(&error_);
        }
        state_ = State::empty;
    }

  private:
    void adopt(Outcome& other) {
        if (other.state_ == State::value) {
            std::construct_at(&value_, std::move(other.value_));
        } else if (other.state_ == State::error) {
            std::construct_at(&error_, std::move(other.error_));
        }
        state_ = other.state_;
        other.reset();
    }

    [[noreturn, gnu::noinline, gnu::cold]] void throw_failure() {
        assert(!empty() && "took a result where there is none");
        const Outcome failure(std::move(*this));
        if (failure.has_error()) std::rethrow_exception(failure.error_);
        throw Cancelled{};
    }

    union {
        Stored value_;
        std::exception_ptr error_;
    };
    State state_ = State::empty;
};

}  // namespace starling
