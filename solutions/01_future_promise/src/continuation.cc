// The default place that `post` goes to: a loop instead of recursion. See continuation.hh.
//
// Affinity: each thread has its own.
#include <starling/continuation.hh>

namespace starling {
namespace {

struct Trampoline {
    ContinuationQueue queue;
    int depth = 0;  // How many scopes live; the outermost one's loop counts.
};

[[maybe_unused]] constinit thread_local Trampoline trampoline;

}  // namespace

TrampolineScope::TrampolineScope() noexcept {
    // BEGIN 1.5: trampoline
    //| One more scope lives (`trampoline.depth`).
    //= todo_soft("1.5", "TrampolineScope::TrampolineScope");
    //= return;
    ++trampoline.depth;
    // END 1.5
}

TrampolineScope::~TrampolineScope() {
    // BEGIN 1.5: trampoline
    //| The outermost scope runs what is queued, in order, until nothing is left; what is posted
    //| meanwhile joins the queue. The scope counts until it is through.
    //= todo_soft("1.5", "TrampolineScope::~TrampolineScope");
    //= return;
    if (trampoline.depth == 1) {
        while (!trampoline.queue.empty()) trampoline.queue.pop().resume();
    }
    --trampoline.depth;
    // END 1.5
}

void detail::trampoline_post(void*, Continuation& c) noexcept {
    // BEGIN 1.5: trampoline
    //| Queue `c`. Unless a scope lives (it will run the queue), run the queue now.
    //= return todo_soft("1.5", "trampoline_post");
    trampoline.queue.push(c);
    if (trampoline.depth == 0) {
        TrampolineScope runs_it;
    }
    // END 1.5
}

}  // namespace starling
