// A second implementation of continuation.cc: the outermost scope is remembered by its address, and
// the queue is a ring.
#include <starling/continuation.hh>

namespace starling {
namespace {

thread_local ContinuationQueue posted;
thread_local const TrampolineScope* outermost = nullptr;

void default_post(void*, Continuation& c) noexcept {
    TrampolineScope scope;
    posted.push(c);
}

thread_local PostHook hook{&default_post, nullptr};

}  // namespace

TrampolineScope::TrampolineScope() noexcept {
    if (outermost == nullptr) outermost = this;
}

TrampolineScope::~TrampolineScope() {
    if (outermost != this) return;
    while (!posted.empty()) posted.pop().resume();
    outermost = nullptr;
}

void post(Continuation& c) noexcept { hook.function(hook.object, c); }

PostHook exchange_post_hook(PostHook replacement) noexcept {
    return std::exchange(hook, replacement);
}

}  // namespace starling
