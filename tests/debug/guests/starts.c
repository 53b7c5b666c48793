// Calls the async function of tasks.c: `start` from a task that waits in its callback, `start-blocking` on its stack.
// After a result of 4 * 4 and more it traps itself.
#define JOBS "demo:debug/jobs@1.0.0"
#define IMPORTED(module, name) __attribute__((import_module(module), import_name(name)))
#define EXIT 0
#define WAIT 2
#define RETURNED 2

IMPORTED(JOBS, "[async-lower]work") unsigned start_work(unsigned n, unsigned *result);
IMPORTED(JOBS, "work") unsigned do_work(unsigned n);
IMPORTED("[export]$root", "[task-return]start") void task_return(unsigned result);
IMPORTED("$root", "[waitable-set-new]") unsigned waitable_set_new(void);
IMPORTED("$root", "[waitable-join]") void waitable_join(unsigned waitable, unsigned set);
IMPORTED("$root", "[subtask-drop]") void subtask_drop(unsigned subtask);

static unsigned result_of_work;

__attribute__((noinline)) static unsigned take_the_result(void) {
    if (result_of_work >= 49)
        __builtin_trap();
    task_return(result_of_work);
    return EXIT;
}

__attribute__((export_name("[async-lift]start"))) unsigned exported_start(unsigned n) {
    unsigned status = start_work(n, &result_of_work);
    if ((status & 15) == RETURNED)
        return take_the_result();
    unsigned set = waitable_set_new();
    waitable_join(status >> 4, set);
    return WAIT | set << 4;
}

__attribute__((export_name("[callback][async-lift]start"))) unsigned
callback_of_start(unsigned event, unsigned subtask, unsigned state) {
    waitable_join(subtask, 0);
    subtask_drop(subtask);
    return take_the_result() + 0 * (event + state);
}

__attribute__((export_name("start-blocking"))) unsigned exported_start_blocking(unsigned n) {
    unsigned answer_of_work = do_work(n);
    if (answer_of_work >= 49)
        __builtin_trap();
    return answer_of_work;
}
