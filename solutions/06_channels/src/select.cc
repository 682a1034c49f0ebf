#include <starling/select.hh>

namespace starling {

// xorshift32 (Marsaglia 2003). The same sequence in every run, so that a failure repeats itself.
unsigned detail::next_random() noexcept {
    static constinit thread_local unsigned state = 2463534242U;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

}  // namespace starling
