/* A module that does on command what modules should not: each command of `execute` is one way. */
#include "meld_module.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct meld_instance {
  const meld_host *host;
};

static int is(meld_bytes text, const char *what) {
  return text.len == strlen(what) && memcmp(text.ptr, what, text.len) == 0;
}

static meld_code fail(meld_error *error, meld_code code, const char *text) {
  error->length = (uint32_t)strlen(text) < error->capacity ? (uint32_t)strlen(text) : error->capacity;
  memcpy(error->text, text, error->length);
  return code;
}

static void give(meld_owned *out, const void *from, size_t length) {
  out->ptr = malloc(length ? length : 1);
  memcpy(out->ptr, from, length);
  out->len = length;
  out->ctx = out->ptr;
  out->drop = free;
}

static meld_code create(const meld_host *host, meld_bytes config, meld_instance **out, meld_error *error) {
  if (is(config, "fail")) return fail(error, MELD_E_ARGUMENT, "this configuration is no good");
  if (is(config, "no instance")) return MELD_OK;
  if (is(config, "crash")) abort();
  *out = malloc(sizeof **out);
  (*out)->host = host;
  return MELD_OK;
}

static void destroy(meld_instance *self) { free(self); }

static volatile int sink;
static int recurse(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

static void *of_a_thread(void *given) {
  meld_instance *self = given;
  const meld_bus *bus = self->host->extension(self->host->ctx, MELD_BUS_1);
  meld_bytes text = {(const uint8_t *)"from a thread", 13};
  self->host->log(self->host->ctx, MELD_WARN, text);
  meld_code code = bus->publish(self->host->ctx, text, text, 0);
  return (void *)(intptr_t)code;
}

static int host_socket(void) { /* a module knows no socket; a hostile one looks for it */
  struct stat what;
  for (int file = 3; file < 4096; file++)
    if (fstat(file, &what) == 0 && S_ISSOCK(what.st_mode)) return file;
  return -1;
}

static void forge(const char *what) {
  struct {
    uint16_t kind, parts;
    int32_t code;
    uint64_t sequence, a, b, row[2];
    char rest[8];
  } packet;
  memset(&packet, 0, sizeof packet);
  size_t length = 32;
  packet.kind = 18; /* a result */
  if (!strcmp(what, "short")) length = 5;
  if (!strcmp(what, "kind")) packet.kind = 999, packet.sequence = 2;
  if (!strcmp(what, "sequence")) packet.sequence = 1u << 20;
  if (!strcmp(what, "parts")) packet.parts = 60000;
  if (!strcmp(what, "inline")) packet.parts = 1, packet.row[0] = UINT64_MAX, packet.row[1] = UINT64_MAX - 3, length = 56;
  if (!strcmp(what, "shared")) packet.parts = 1, packet.row[0] = 64, packet.row[1] = UINT64_MAX, length = 48;
  if (!strcmp(what, "beyond")) packet.parts = 1, packet.row[0] = UINT64_MAX - 9, packet.row[1] = 4, length = 48;
  if (!strcmp(what, "rest")) length = 56;
  if (!strcmp(what, "empty")) packet.sequence = 2;
  send(host_socket(), &packet, length, 0);
}

/* A fifth of a second of processor time. */
static void *compute(void *unused) {
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  const long long end = now.tv_sec * 1000000000ll + now.tv_nsec + 200000000;
  while (now.tv_sec * 1000000000ll + now.tv_nsec < end) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return unused;
}

static meld_code execute(meld_instance *self, meld_bytes command, meld_bytes payload, meld_owned *out,
                         meld_error *error) {
  static char static_text[] = "static";
  const meld_host *host = self->host;
  const meld_bus *bus = host->extension(host->ctx, MELD_BUS_1);
  if (is(command, "echo")) return give(out, payload.ptr, payload.len), MELD_OK;
  if (is(command, "borrow")) /* wrong: the result is only borrowed memory, with nothing to drop */
    return out->ptr = (uint8_t *)payload.ptr, out->len = payload.len, MELD_OK;
  if (is(command, "static")) return out->ptr = (uint8_t *)static_text, out->len = 6, MELD_OK;
  /* ends */
  if (is(command, "segv")) return *(volatile int *)8 = 1, MELD_OK;
  if (is(command, "abort")) abort();
  if (is(command, "overflow")) return sink = recurse(1), MELD_OK;
  if (is(command, "exit")) exit(7);
  if (is(command, "exit quietly")) _exit(0);
  if (is(command, "double free")) {
    char *twice = malloc(100);
    free(twice);
    free(*(char *volatile *)&twice);
    return MELD_OK;
  }
  if (is(command, "heap overflow")) {
    char *block = malloc(100);
    block[100 + (payload.len & 1)] = 1;
    sink = block[0];
    free(block);
    return MELD_OK;
  }
  if (is(command, "use after free")) {
    char *volatile block = malloc(100);
    free(block);
    sink = block[3];
    return MELD_OK;
  }
  if (is(command, "signed overflow")) {
    volatile int most = 0x7fffffff;
    sink = most + (int)payload.len;
    return MELD_OK;
  }
  if (is(command, "leak")) {
    size_t taken = 0;
    for (void *block; (block = malloc(1 << 20)); taken++) memset(block, 1, 1 << 20);
    fprintf(stderr, "after %zu MiB there is none left\n", taken);
    abort();
  }
  if (is(command, "lose")) { /* many: a pointer that a dead stack frame still has counts as kept */
    for (int number = 0; number < 100; number++) {
      char *volatile block = malloc(payload.len + 1000);
      sink = block != 0;
    }
    return MELD_OK;
  }
  if (is(command, "spin")) for (;;) sink++;
  if (is(command, "sleep")) for (;;) sleep(1000);
  if (is(command, "stop")) return raise(SIGSTOP), MELD_OK;
  if (is(command, "panic")) return fail(error, MELD_E_PANIC, "index out of bounds");
  /* results that lie */
  if (is(command, "null result")) return out->len = 10, MELD_OK;
  if (is(command, "huge result")) return give(out, "x", 1), out->len = UINT64_MAX - 100, MELD_OK;
  if (is(command, "long result")) return give(out, "x", 1), out->len = 8 << 20, MELD_OK;
  if (is(command, "bad drop")) return out->drop = (void (*)(void *))8, MELD_OK;
  if (is(command, "odd code")) return 77;
  if (is(command, "negative code")) return -1;
  if (is(command, "long error")) return error->length = UINT32_MAX, MELD_E_FAILED;
  if (is(command, "bad text")) return fail(error, MELD_E_FAILED, "\xff\xfe");
  if (is(command, "say")) return fail(error, MELD_E_STATE, "not now");
  /* noise */
  if (is(command, "print")) {
    for (int line = 0; line < 100000; line++) printf("line %d of many\n", line);
    fflush(stdout);
    return MELD_OK;
  }
  if (is(command, "log flood")) {
    for (int line = 0; line < 5000; line++) host->log(host->ctx, 2, payload);
    return MELD_OK;
  }
  if (is(command, "log forever")) for (;;) host->log(host->ctx, 2, payload);
  if (is(command, "publish forever")) for (;;) bus->publish(host->ctx, payload, payload, 0);
  if (is(command, "huge publish")) {
    meld_bytes all = {payload.ptr, UINT64_MAX};
    return bus->publish(host->ctx, all, all, error);
  }
  if (is(command, "null arguments")) {
    const meld_kv *kv = host->extension(host->ctx, MELD_KV_1);
    meld_bytes nothing = {0, 1 << 20};
    if (host->extension(host->ctx, 0) || host->extension(host->ctx, "meld.bus/9")) return MELD_E_FAILED;
    if (kv->get(0, nothing, 0, 0, 0) == MELD_OK) return MELD_E_FAILED;
    return kv->keys(0, nothing, 0, 0, 0) == MELD_E_ARGUMENT ? MELD_OK : MELD_E_FAILED;
  }
  /* descriptors, threads, processes */
  if (is(command, "close all")) {
    for (int file = 0; file < 4096; file++) close(file);
    return MELD_OK;
  }
  if (is(command, "close socket and sleep")) {
    close(host_socket());
    for (;;) sleep(1000);
  }
  if (is(command, "open many")) {
    int count = 0;
    while (dup(0) >= 0) count++;
    return give(out, errno == EMFILE ? "limited" : "?", 7), sink = count, MELD_OK;
  }
  if (is(command, "thread")) {
    pthread_t thread;
    void *code;
    pthread_create(&thread, 0, of_a_thread, self);
    pthread_join(thread, &code);
    return (meld_code)(intptr_t)code;
  }
  if (is(command, "compute")) return compute(0), MELD_OK;
  if (is(command, "compute beside")) { /* goes on when the call is over */
    pthread_t thread;
    pthread_create(&thread, 0, compute, 0);
    return pthread_detach(thread), MELD_OK;
  }
  if (is(command, "fork and die")) {
    if (fork() == 0) for (;;) sleep(1000);
    abort();
  }
  if (is(command, "write input")) return *(volatile uint8_t *)payload.ptr = 1, MELD_OK;
  if (is(command, "forge")) {
    char what[32] = {0};
    memcpy(what, payload.ptr, payload.len < 31 ? payload.len : 31);
    forge(what);
    for (;;) sleep(1000);
  }
  if (is(command, "answer twice")) { /* one answer too many, for the next call to find */
    struct {
      uint16_t kind, parts;
      int32_t code;
      uint64_t sequence, a, b, row[2];
    } packet = {18, 1, 0, 2, 0, 0, {UINT64_MAX, 0}};
    send(host_socket(), &packet, sizeof packet, 0);
    return MELD_OK;
  }
  if (is(command, "ask without reading")) {
    struct {
      uint16_t kind, parts;
      int32_t code;
      uint64_t sequence, a, b;
    } packet = {51, 0, 0, 2, 0, 0};
    for (;;) send(host_socket(), &packet, sizeof packet, 0);
  }
  return MELD_E_UNSUPPORTED;
}

static meld_code get_state(meld_instance *self, meld_owned *state, meld_error *error) {
  (void)self, (void)error;
  return give(state, "kept", 4), MELD_OK;
}

static meld_code restore_state(meld_instance *self, uint32_t schema, meld_bytes state, meld_error *error) {
  (void)self;
  if (schema != 3) return fail(error, MELD_E_SCHEMA, "only schema 3");
  return is(state, "kept") ? MELD_OK : MELD_E_ARGUMENT;
}

static meld_code handle_message(meld_instance *self, const meld_message *message, meld_owned *reply,
                                meld_error *error) {
  (void)self, (void)error;
  char text[256];
  int length = snprintf(text, sizeof text, "%u %llu %.*s %.*s %.*s %u %u", message->version,
                        (unsigned long long)message->id, (int)message->topic.len, (const char *)message->topic.ptr,
                        (int)message->sender.len, (const char *)message->sender.ptr, (int)message->payload.len,
                        (const char *)message->payload.ptr, message->attempt, message->flags);
  return give(reply, text, (size_t)length), MELD_OK;
}

static const char *const commands[] = {"echo", "static", 0};
static const char *const topics[] = {"weather/*", 0};
static const meld_module table = {
    MELD_HEAD(meld_module), "misbehave", "1.2.3", "C",     commands,       topics,    MELD_MODULE_KEEPS_STATE, 3,
    create,                 destroy,     execute, handle_message, get_state, restore_state, 0,
};

const meld_module *meld_module_entry(uint32_t major, uint32_t minor, const char **why) {
  (void)minor;
  if (major == MELD_ABI_MAJOR) return &table;
  *why = "it knows version 1 only";
  return 0;
}
