/* A module whose table is what the flags of the compiler make it: each is one way to be refused at load. */
#include "meld_module.h"

#ifndef MAGIC
#define MAGIC MELD_MAGIC
#endif
#ifndef MAJOR
#define MAJOR MELD_ABI_MAJOR
#endif
#ifndef SIZE
#define SIZE sizeof(meld_module)
#endif
#ifndef EXECUTE
#define EXECUTE execute
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef NAME
#define NAME "shaped"
#endif
#ifndef COMMANDS
#define COMMANDS 0
#endif

static meld_code create(const meld_host *host, meld_bytes config, meld_instance **out, meld_error *error) {
  static int instance;
  (void)host, (void)config, (void)error;
  *out = (meld_instance *)&instance;
  return MELD_OK;
}

static void destroy(meld_instance *self) { (void)self; }

static meld_code execute(meld_instance *self, meld_bytes command, meld_bytes payload, meld_owned *out,
                         meld_error *error) {
  (void)self, (void)command, (void)payload, (void)out, (void)error;
  return MELD_OK;
}

/* A table of a later minor version: longer than ours, with something where ours ends. */
static const struct {
  meld_module known;
  uint64_t later[4];
} table = {
    {{MAGIC, MAJOR, 9, SIZE}, NAME, "1", 0, COMMANDS, 0, FLAGS, 0, create, destroy, EXECUTE, 0, 0, 0, 0},
    {1, 2, 3, 4},
};

#ifdef CALLS
void nobody_has_this(void);
__attribute__((constructor)) static void call(void) { nobody_has_this(); }
#endif
#ifdef CRASHES
__attribute__((constructor)) static void crash(void) { *(volatile int *)8 = 1; }
#endif

#if defined(NO_ENTRY)
int something_else(void) { return table.known.flags; }
#elif defined(HIDDEN)
__attribute__((visibility("hidden"))) const meld_module *entry(void) { return execute == 0 ? 0 : &table.known; }
#elif defined(DATA)
#define meld_module_entry data_of_this_name
MELD_EXPORT const void *const meld_module_entry = &table;
#else
#ifdef WRONG_LINKAGE
#define meld_module_entry _Z17meld_module_entryjjPPKc
#endif
MELD_EXPORT const meld_module *meld_module_entry(uint32_t major, uint32_t minor, const char **why) {
  (void)minor;
#ifdef REFUSES
  *why = "it wants version 2";
  return 0;
#endif
#ifdef SILENT
  return 0;
#endif
  return major == 1 && why ? &table.known : 0;
}
#endif
