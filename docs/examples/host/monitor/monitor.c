/* A monitor, in C without libraries: it is told by the host when a module dies, and says what it saw. Its side of the
   Canonical ABI is written out: flat parameters in, results in a static area out. */

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name("meld:host/module@0.1.0#" name)))

typedef struct { const char *ptr; uint32_t len; } text;

static char heap[1 << 16];
static uint32_t used;

/* Payloads come one call at a time, and nothing of them is kept: each call has the heap to itself. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old, (void)old_size;
  used = (used + align - 1) & -align;
  if (used + size > sizeof heap) __builtin_trap();
  used += size;
  return heap + used - size;
}

static char seen[4096];
static uint32_t seen_len;

/* result<list<u8>, failure>, result<_, failure> and result<state, failure> all fit. */
static struct { uint8_t is_err; union { struct { const char *ptr; uint32_t len; } ok; struct { uint32_t schema; text data; } state;
                struct { uint8_t code; text why; } failure; } of; } result;
enum { ARGUMENT = 1, SCHEMA = 5 };

static void *ok(const char *ptr, uint32_t len) {
  used = 0;
  result.is_err = 0, result.of.ok.ptr = ptr, result.of.ok.len = len;
  return &result;
}

static void *failed(uint8_t code, const char *why, uint32_t len) {
  used = 0;
  result.is_err = 1, result.of.failure.code = code, result.of.failure.why = (text){why, len};
  return &result;
}
#define FAILED(code, why) failed(code, why, sizeof why - 1)

static int is(const char *ptr, uint32_t len, const char *word, uint32_t size) {
  return len == size && !__builtin_memcmp(ptr, word, len);
}

int memcmp(const void *a, const void *b, size_t n) {
  for (const char *x = a, *y = b; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

static void copy(char *to, const char *from, uint32_t len) {
  for (uint32_t i = 0; i < len; i++) to[i] = from[i];
}

EXPORT("initialize") void *initialize(const char *config, uint32_t len) { (void)config, (void)len; return ok(0, 0); }

EXPORT("execute") void *execute(const char *command, uint32_t len, const char *payload, uint32_t size) {
  (void)payload, (void)size;
  if (is(command, len, "report", 6)) return ok(seen, seen_len);
  return FAILED(ARGUMENT, "there is one command: report");
}

static const text commands[] = {{"report", 6}}, topics[] = {{"meld/died", 9}};
static struct { const text *commands; uint32_t command_count; const text *topics; uint32_t topic_count; uint8_t has; uint32_t schema; }
    capabilities = {commands, 1, topics, 1, 1, 1};

EXPORT("get-capabilities") void *get_capabilities(void) { return &capabilities; }

EXPORT("handle-message") void *handle_message(uint32_t version, uint64_t id, const char *topic, uint32_t topic_len,
    const char *sender, uint32_t sender_len, uint32_t attempt, uint32_t wants_reply, const char *payload, uint32_t len) {
  (void)version, (void)id, (void)topic, (void)topic_len, (void)sender, (void)sender_len, (void)attempt, (void)wants_reply;
  if (len + 1 > sizeof seen) len = sizeof seen - 1;
  if (seen_len + len + 1 > sizeof seen) seen_len = 0; /* the oldest go */
  copy(seen + seen_len, payload, len);
  seen[seen_len + len] = '\n';
  seen_len += len + 1;
  return ok(0, 0);
}

EXPORT("shutdown") void shutdown(void) {}

EXPORT("get-state") void *get_state(void) {
  used = 0;
  result.is_err = 0, result.of.state.schema = 1, result.of.state.data = (text){seen, seen_len};
  return &result;
}

EXPORT("restore-state") void *restore_state(uint32_t schema, const char *data, uint32_t len) {
  if (schema != 1 || len > sizeof seen) return FAILED(SCHEMA, "schema 1 was expected");
  copy(seen, data, len);
  seen_len = len;
  return ok(0, 0);
}
