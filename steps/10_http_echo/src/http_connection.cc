#include <starling/executor.hh>
#include <starling/http_connection.hh>

namespace starling {

Task<> HttpConnection::operator()() {
    context_ = &co_await this_context();
    shared_.all.push_back(*this);
    bool goes_on = true;
    try {
        while (goes_on) {
            wait_for(shared_.stopping ? shared_.limits.linger : shared_.limits.idle_timeout);
            const bool any = co_await stream_.readable();
            if (!any) break;
            auto& free = shared_.free_sessions;
            if (free.empty()) free.push_back(std::make_unique<HttpSession>(shared_));
            session_ = std::move(free.back());
            free.pop_back();
            goes_on = co_await session_->work(stream_);
            session_->reset();
            if (free.size() < kFreeMax) free.push_back(std::move(session_));
            session_.reset();
        }
    } catch (const std::exception&) {
        // Idle for too long, gone, or too slow to take its answer: there is nobody to tell.
        goes_on = true;
    }
    unlink();  // It is ending: nobody has to tell it to.
    if (goes_on) {
        co_await stream_.close();
    } else {
        co_await stream_.close_gracefully(shared_.limits.linger);
    }
}

}  // namespace starling
