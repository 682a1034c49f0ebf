// A second implementation of promise.hh: both ends are in future.hh.
#pragma once

#include <starling/future.hh>
