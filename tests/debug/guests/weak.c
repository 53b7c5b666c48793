#include "lib.h"

__attribute__((noinline)) unsigned weak_helper(unsigned value) { return value + 1; }
