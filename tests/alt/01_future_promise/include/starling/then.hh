// A second implementation of then.hh: everything is in future.hh.
#pragma once

#include <starling/future.hh>
