#include "lib.h"

__attribute__((import_module("demo:debug/work@1.0.0"), import_name("run"))) unsigned imported_run(unsigned n);
__attribute__((import_module("demo:debug/work@1.0.0"), import_name("fail"))) unsigned imported_fail(unsigned n);

static volatile unsigned calls_so_far;

__attribute__((noinline)) static unsigned call_twice(unsigned n) {
    unsigned first_answer = imported_run(n);
    calls_so_far++;
    return first_answer ^ imported_run(n + calls_so_far);
}

__attribute__((export_name("main-run"))) unsigned exported_main_run(unsigned n) {
    unsigned sum_of_calls = 0;
    for (unsigned i = 0; i < n; i++)
        sum_of_calls += call_twice(i);
    return sum_of_calls;
}

__attribute__((export_name("main-fail"))) unsigned exported_main_fail(unsigned n) {
    unsigned answer_of_fail = imported_fail(n);
    return answer_of_fail + calls_so_far;
}
