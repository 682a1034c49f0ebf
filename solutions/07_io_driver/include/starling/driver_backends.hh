// The drivers there are, for `make_driver`. Each function gives null and says why where it cannot work.
//
// Affinity: owner shard.
#pragma once

#include <memory>
#include <starling/driver.hh>
#include <string>

namespace starling::detail {

/// io_uring on exactly one rung of the ladder.
std::unique_ptr<Driver> make_uring_driver(const DriverOptions& options, RingRung rung,
                                          std::string& why_not);
std::unique_ptr<Driver> make_epoll_driver(const DriverOptions& options, std::string& why_not);
std::unique_ptr<Driver> make_kqueue_driver(const DriverOptions& options, std::string& why_not);

}  // namespace starling::detail
