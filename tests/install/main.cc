// Uses an installed Starling the way its README says.
#include <cstdio>
#include <starling/future.hh>

int main() {
    starling::Promise<int> promise;
    int answer = 0;
    auto done = promise.get_future().then([&](int value) { answer = value * 2; });
    promise.set_value(21);
    done.get();
    std::printf("%d\n", answer);
    return answer == 42 ? 0 : 1;
}
