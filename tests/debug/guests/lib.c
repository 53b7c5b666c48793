// A provider with inlined calls, locals in memory and in locals, a loop, a weak definition that wins here and loses
// elsewhere, and functions that only an unused interface reaches (so that fusing leaves them out).
#include "lib.h"

struct point { unsigned x, y; };

static unsigned table_of_squares[8] = {0, 1, 4, 9, 16, 25, 36, 49};

static inline __attribute__((always_inline)) unsigned square_of(unsigned value) {
    unsigned index_in_table = value & 7;
    if (index_in_table == value)
        return table_of_squares[index_in_table];
    return value * value;
}

static inline __attribute__((always_inline)) unsigned sum_of_squares(struct point corner) {
    return square_of(corner.x) + square_of(corner.y);
}

__attribute__((noinline)) static unsigned only_for_spare(unsigned value) {
    unsigned total = 0;
    for (unsigned i = 0; i < value; i++)
        total += square_of(i) ^ i;
    return total;
}

__attribute__((noinline)) static unsigned walk_down(struct point *corner, unsigned depth) {
    if (depth == 0)
        return sum_of_squares(*corner);
    corner->x += depth;
    corner->y ^= depth;
    return walk_down(corner, depth - 1) + 1;
}

__attribute__((export_name("demo:debug/extra@1.0.0#spare"))) unsigned exported_spare(unsigned n) {
    return only_for_spare(n) + weak_helper(n);
}

__attribute__((export_name("demo:debug/work@1.0.0#run"))) unsigned exported_run(unsigned n) {
    struct point corner = {n, n + 3};
    unsigned result = walk_down(&corner, n & 3);
    return result + weak_helper(n) + other_helper(n);
}

__attribute__((export_name("demo:debug/work@1.0.0#fail"))) unsigned exported_fail(unsigned n) {
    if (n > 10)
        __builtin_trap();
    return square_of(n);
}
