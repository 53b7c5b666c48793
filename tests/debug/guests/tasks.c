// A provider of an async function: `n` says where its task traps, at once, when it goes on, or at what it tells the engine.
#define EXPORTED "demo:debug/jobs@1.0.0"
#define EXIT 0
#define YIELD 1

__attribute__((import_module("[export]" EXPORTED), import_name("[task-return]work"))) void task_return(unsigned result);

static volatile unsigned task_in_turn;

static inline __attribute__((always_inline)) void fail_in_an_inlined_call(unsigned n) {
    if (n > 10)
        __builtin_trap();
}

__attribute__((noinline)) static unsigned begin_the_task(unsigned n) {
    task_in_turn = n;
    if (n == 1)
        fail_in_an_inlined_call(n + 10);
    if (n == 2 || n == 3)
        return YIELD;
    if (n == 4)
        return 9;
    if (n != 5)
        task_return(n * n);
    if (n == 6)
        task_return(n);
    return EXIT;
}

__attribute__((noinline)) static unsigned go_on_with_the_task(unsigned n) {
    if (n == 2)
        fail_in_an_inlined_call(n + 10);
    task_return(n + 1);
    return EXIT;
}

__attribute__((export_name("[async-lift]" EXPORTED "#work"))) unsigned exported_work(unsigned n) {
    return begin_the_task(n);
}

__attribute__((export_name("[callback][async-lift]" EXPORTED "#work"))) unsigned
callback_of_work(unsigned event, unsigned first, unsigned second) {
    return go_on_with_the_task(task_in_turn) + 0 * (event + first + second);
}
