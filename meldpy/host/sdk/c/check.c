/* check: loads a module and does what a host does, in one process, so that sanitizers see the module's every byte.
 *
 * clang -std=c99 -g -fsanitize=address,undefined check.c -ldl -o check && ./check ./module.so [COMMAND PAYLOAD]...
 *
 * It calls everything of the table in the order of a life, each command with its payload and every declared command
 * with none, hands the state to a second instance, and drops all that it is given. Codes other than MELD_OK are the
 * module's answers and are printed; what breaks the contract ends the program with code 1.
 */
#include "meld_sdk.h"

#include <dlfcn.h>

static int calls;

static void *copy(const void *bytes, size_t length) { /* exactly as long, so that reading beyond is seen */
  void *made = malloc(length ? length : 1);
  if (made && length) memcpy(made, bytes, length);
  return made;
}

static void broken(const char *what) {
  fprintf(stderr, "check: %s\n", what);
  exit(1);
}

static meld_code of_texts(meld_bytes a, meld_bytes b, meld_bytes c) {
  uint64_t sum = 0; /* every byte that is lent has to be there */
  for (uint64_t i = 0; i < a.len; i++) sum += a.ptr[i];
  for (uint64_t i = 0; i < b.len; i++) sum += b.ptr[i];
  for (uint64_t i = 0; i < c.len; i++) sum += c.ptr[i];
  calls++;
  return sum == UINT64_MAX ? MELD_E_FAILED : MELD_OK;
}

static const meld_bytes none = {NULL, 0};

static void host_log(void *ctx, meld_level level, meld_bytes text) {
  (void)ctx;
  printf("log %d: %.*s\n", (int)level, (int)text.len, (const char *)text.ptr);
}
static meld_code publish(void *ctx, meld_bytes topic, meld_bytes payload, meld_error *error) {
  (void)ctx, (void)error;
  return of_texts(topic, payload, none);
}
static meld_code sent(void *ctx, meld_bytes to, meld_bytes topic, meld_bytes payload, meld_error *error) {
  (void)ctx, (void)error;
  return of_texts(to, topic, payload);
}
static meld_code request(void *ctx, meld_bytes to, meld_bytes topic, meld_bytes payload, uint64_t timeout_ns,
                         meld_owned *reply, meld_error *error) {
  (void)ctx, (void)timeout_ns, (void)error;
  of_texts(to, topic, payload);
  return meld_give(reply, payload.ptr, (size_t)payload.len);
}
static meld_code progress(void *ctx, uint64_t done, uint64_t total, meld_bytes text, meld_error *error) {
  (void)ctx, (void)error;
  if (total && done > total) broken("more is done than there is");
  return of_texts(text, none, none);
}
static char checkpoint_kept[4096];
static size_t checkpoint_length;
static meld_code checkpoint(void *ctx, meld_bytes data, meld_error *error) {
  (void)ctx, (void)error;
  checkpoint_length = data.len < sizeof checkpoint_kept ? (size_t)data.len : sizeof checkpoint_kept;
  if (checkpoint_length) memcpy(checkpoint_kept, data.ptr, checkpoint_length);
  return of_texts(data, none, none);
}
static meld_code last_checkpoint(void *ctx, meld_owned *data, int32_t *found, meld_error *error) {
  (void)ctx, (void)error;
  *found = checkpoint_length > 0;
  return meld_give(data, checkpoint_kept, checkpoint_length);
}
static meld_code is_cancelled(void *ctx, int32_t *cancelled, meld_error *error) {
  (void)ctx, (void)error;
  *cancelled = 0;
  return MELD_OK;
}
static meld_code one_text(void *ctx, meld_bytes text, meld_error *error) {
  (void)ctx, (void)error;
  return of_texts(text, none, none);
}
static meld_code metric(void *ctx, meld_bytes name, double value, meld_error *error) {
  (void)ctx, (void)value, (void)error;
  return of_texts(name, none, none);
}
static meld_code get(void *ctx, meld_bytes key, meld_owned *value, int32_t *found, meld_error *error) {
  (void)ctx, (void)error;
  *found = 1;
  return meld_give(value, key.ptr, (size_t)key.len);
}
static meld_code keys(void *ctx, meld_bytes prefix, void (*visit)(void *visitor, meld_bytes key), void *visitor,
                      meld_error *error) {
  (void)ctx, (void)error;
  visit(visitor, prefix);
  return MELD_OK;
}
static uint64_t now(void *ctx) {
  (void)ctx;
  return 1000000000u;
}

static const meld_bus bus = {MELD_HEAD(meld_bus), publish, sent, request};
static const meld_jobs jobs = {MELD_HEAD(meld_jobs), progress, checkpoint, last_checkpoint, is_cancelled, one_text, metric};
static const meld_kv kv = {MELD_HEAD(meld_kv), get, publish, one_text, keys};
static const meld_clock meld_time = {MELD_HEAD(meld_clock), now, now};

static const void *extension(void *ctx, const char *id) {
  (void)ctx;
  if (!strcmp(id, MELD_BUS_1)) return &bus;
  if (!strcmp(id, MELD_JOBS_1)) return &jobs;
  if (!strcmp(id, MELD_KV_1)) return &kv;
  if (!strcmp(id, MELD_CLOCK_1)) return &meld_time;
  return NULL;
}

static const meld_host host = {MELD_HEAD(meld_host), NULL, host_log, extension};

/* What a call left: its code and text are printed, its bytes read and dropped. */
static meld_code settle(const char *what, meld_code code, meld_owned *given, const meld_error *error) {
  if (code == MELD_E_PANIC) broken("the module panicked");
  if (code != MELD_OK) printf("%s: code %d: %.*s\n", what, (int)code, (int)error->length, error->text);
  else if (given) {
    if (given->len && !given->ptr) broken("a length without bytes");
    void *read = copy(given->ptr, (size_t)given->len);
    printf("%s: %llu bytes: %.*s\n", what, (unsigned long long)given->len, given->len < 60 ? (int)given->len : 60,
           (const char *)read);
    free(read);
  }
  return code;
}

static void run(const meld_module *table, meld_instance *self, const char *command, const char *payload) {
  char text[64] = {0};
  meld_error error = {sizeof error, sizeof text, 0, 0, text};
  meld_owned result = {0};
  char *name = (char *)copy(command, strlen(command)), *bytes = (char *)copy(payload, strlen(payload));
  meld_bytes lent_name = {(uint8_t *)name, strlen(command)}, lent = {(uint8_t *)bytes, strlen(payload)};
  meld_code code = table->execute(self, lent_name, lent, &result, &error);
  free(name);
  free(bytes);
  settle(command, code, &result, &error);
  meld_drop(&result);
  if (table->handle_message) {
    meld_message message = {sizeof message, 1, 7, meld_text(command), none, none, 1, MELD_MESSAGE_WANTS_REPLY};
    bytes = (char *)copy(payload, strlen(payload));
    message.payload.ptr = (uint8_t *)bytes;
    message.payload.len = strlen(payload);
    code = table->handle_message(self, &message, &result, &error);
    free(bytes);
    settle("message", code, &result, &error);
    meld_drop(&result);
  }
}

static meld_instance *created(const meld_module *table) {
  char text[64] = {0}, *config = (char *)copy("{}", 2);
  meld_error error = {sizeof error, sizeof text, 0, 0, text};
  meld_bytes lent = {(uint8_t *)config, 2};
  meld_instance *self = NULL;
  meld_code code = table->create(&host, lent, &self, &error);
  free(config);
  if (settle("create", code, NULL, &error) == MELD_OK && !self) broken("create gave no instance");
  return self;
}

int main(int count, char **arguments) {
  if (count < 2) broken("usage: check MODULE [COMMAND PAYLOAD]...");
  void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) broken(dlerror());
  void *symbol = dlsym(library, "meld_module_entry");
  if (!symbol) broken("no meld_module_entry");
  const meld_module *(*entry)(uint32_t, uint32_t, const char **);
  memcpy(&entry, &symbol, sizeof entry);
  const char *why = NULL;
  if (entry(99, 0, &why) || !why) broken("a version that does not exist is served, or refused without a reason");
  const meld_module *table = entry(MELD_ABI_MAJOR, MELD_ABI_MINOR, &why);
  if (!table) broken(why);
  if (table->head.magic != MELD_MAGIC || table->head.size < sizeof *table) broken("no table of this version");
  printf("%s %s (%s)\n", table->name, table->version, table->built_with ? table->built_with : "?");

  meld_instance *self = created(table);
  if (!self) return 0;
  for (int i = 2; i + 1 < count; i += 2) run(table, self, arguments[i], arguments[i + 1]);
  for (int i = 0; table->commands && table->commands[i]; i++) run(table, self, table->commands[i], "");
  run(table, self, "there is no such command", "x");
  if (table->flags & MELD_MODULE_KEEPS_STATE) {
    char text[64] = {0};
    meld_error error = {sizeof error, sizeof text, 0, 0, text};
    meld_owned state = {0};
    meld_instance *next = created(table);
    if (settle("state", table->get_state(self, &state, &error), &state, &error) == MELD_OK) {
      meld_bytes lent = {state.ptr, state.len};
      settle("restored", table->restore_state(next, table->state_schema, lent, &error), NULL, &error);
      settle("restored", table->restore_state(next, table->state_schema + 1, lent, &error), NULL, &error);
    }
    meld_drop(&state);
    table->destroy(next);
  }
  table->destroy(self);
  printf("%d calls of the host\n", calls);
  return 0;
}
