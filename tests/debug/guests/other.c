// Defines `weak_helper` weakly: where weak.c is linked before it, this definition loses, and its DWARF points at the
// winner, inside of instructions and beyond its end.
#include "lib.h"

__attribute__((weak, noinline)) unsigned weak_helper(unsigned value) {
    unsigned weak_total = 1;
    for (unsigned i = 0; i < value; i++) {
        weak_total *= 3;
        if (weak_total > 100000)
            weak_total -= 99991;
        weak_total ^= value << (i & 15);
        weak_total += i * i * 7;
    }
    return weak_total;
}

__attribute__((noinline)) unsigned other_helper(unsigned value) { return value > 1 ? weak_helper(value - 1) : value; }
